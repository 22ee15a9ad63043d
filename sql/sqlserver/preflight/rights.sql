-- The rights of deployments/sqlserver/grants.sql that the login lacks, by their initials. A login sees nothing of tables on which it has no
-- right at all, so they are listed here.
SELECT r.name AS [right], w.name AS [table]
FROM (VALUES
    (N'bitrix_import_lead_error', N'SIUD'),
    (N'bitrix_lead_contacts', N'SIUD'),
    (N'bitrix_lead_runtime', N'SIU'),
    (N'bitrix_lead_solution', N'SIUD'),
    (N'bitrix_leads', N'SIUD'),
    (N'bitrix_mirror_status', N'S'),
    (N'bitrix_oauth', N'SIUD'),
    (N'leadsync_allowances', N'SID'),
    (N'leadsync_callbacks', N'SIUD'),
    (N'leadsync_changes', N'SID'),
    (N'leadsync_duplicate_leads', N'SIUD'),
    (N'leadsync_failures', N'SIUD'),
    (N'leadsync_field_types', N'SID'),
    (N'leadsync_findings', N'SIUD'),
    (N'leadsync_incidents', N'SID'),
    (N'leadsync_lead_fields', N'SID'),
    (N'leadsync_migrations', N'S'),
    (N'leadsync_outbox', N'SIUD'),
    (N'leadsync_owners', N'SIU'),
    (N'leadsync_phones', N'SID'),
    (N'leadsync_portals', N'SIUD'),
    (N'leadsync_runs', N'SIUD'),
    (N'leadsync_settings', N'SIU')
) AS w (name, initials)
CROSS JOIN (VALUES (N'SELECT'), (N'INSERT'), (N'UPDATE'), (N'DELETE')) AS r (name)
WHERE CHARINDEX(LEFT(r.name, 1), w.initials) > 0 AND COALESCE(HAS_PERMS_BY_NAME(N'dbo.' + w.name, N'OBJECT', r.name), 0) = 0
ORDER BY w.name, r.name
