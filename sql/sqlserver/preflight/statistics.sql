-- The statistics of the tables that grow: rows when each was made, and changes since. A table whose statistics the login may not see has
-- one line without any.
SELECT w.name AS [table], s.name AS [statistic], s.[rows], s.changed
FROM (VALUES
    (N'bitrix_lead_contacts'),
    (N'bitrix_leads'),
    (N'leadsync_callbacks'),
    (N'leadsync_changes'),
    (N'leadsync_findings'),
    (N'leadsync_lead_fields'),
    (N'leadsync_outbox'),
    (N'leadsync_phones'),
    (N'leadsync_runs')
) AS w (name)
LEFT JOIN (
    SELECT t.name AS of_table, i.name, p.[rows], p.modification_counter AS changed
    FROM sys.tables AS t
    INNER JOIN sys.stats AS i ON i.object_id = t.object_id
    CROSS APPLY sys.dm_db_stats_properties(i.object_id, i.stats_id) AS p
    WHERE t.schema_id = SCHEMA_ID(N'dbo')
) AS s ON s.of_table = w.name
ORDER BY w.name, s.name
