-- Statistics of our indexes after which many rows have changed.
SELECT t.name AS [table], s.name AS [statistic], p.rows AS [rows], p.modification_counter AS changed
FROM sys.stats AS s
INNER JOIN sys.tables AS t ON t.object_id = s.object_id
CROSS APPLY sys.dm_db_stats_properties(s.object_id, s.stats_id) AS p
WHERE t.schema_id = SCHEMA_ID(N'dbo') AND p.rows > 10000 AND p.modification_counter > p.rows / 2
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'leadsync_phones', N'leadsync_lead_fields', N'leadsync_findings', N'leadsync_runs', N'leadsync_callbacks')
ORDER BY t.name, s.name
