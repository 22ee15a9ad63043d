-- The rights that the service needs on its tables and that the login lacks; see deployments/sqlserver/grants.sql.
SELECT r.name AS [right], t.name AS [table]
FROM sys.tables AS t
CROSS JOIN (SELECT N'SELECT' AS name UNION ALL SELECT N'INSERT' UNION ALL SELECT N'UPDATE' UNION ALL SELECT N'DELETE') AS r
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND (t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_oauth', N'leadsync_callbacks',
            N'leadsync_failures', N'leadsync_findings', N'leadsync_portals', N'leadsync_runs')
        OR r.name IN (N'SELECT', N'INSERT') AND t.name IN (N'leadsync_outbox', N'leadsync_phones', N'leadsync_lead_fields', N'leadsync_incidents', N'leadsync_owners', N'leadsync_settings'))
    AND COALESCE(HAS_PERMS_BY_NAME(N'dbo.' + t.name, N'OBJECT', r.name), 0) = 0
ORDER BY t.name, r.name
