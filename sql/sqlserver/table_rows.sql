-- As the server's catalogue has them: it reads no rows of these tables. p.rows is an approximation.
SELECT t.name, SUM(p.rows)
FROM sys.tables AS t
INNER JOIN sys.partitions AS p ON p.object_id = t.object_id
WHERE p.index_id IN (0, 1) AND t.object_id IN (
    OBJECT_ID(N'dbo.bitrix_leads'),
    OBJECT_ID(N'dbo.bitrix_lead_contacts'),
    OBJECT_ID(N'dbo.bitrix_lead_solution'),
    OBJECT_ID(N'dbo.bitrix_import_lead_error'),
    OBJECT_ID(N'dbo.leadsync_lead_fields'),
    OBJECT_ID(N'dbo.leadsync_phones'),
    OBJECT_ID(N'dbo.leadsync_outbox'),
    OBJECT_ID(N'dbo.leadsync_runs'),
    OBJECT_ID(N'dbo.leadsync_findings'),
    OBJECT_ID(N'dbo.leadsync_incidents'),
    OBJECT_ID(N'dbo.leadsync_callbacks'),
    OBJECT_ID(N'dbo.leadsync_failures'),
    OBJECT_ID(N'dbo.leadsync_changes'),
    OBJECT_ID(N'dbo.leadsync_duplicate_leads')
)
GROUP BY t.name
