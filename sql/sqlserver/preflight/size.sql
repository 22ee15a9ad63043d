-- Rows, as the server's statistics know them, and bytes with all indexes.
SELECT t.name AS [table], SUM(CASE WHEN s.index_id IN (0, 1) THEN s.row_count ELSE 0 END) AS [rows], SUM(s.reserved_page_count) * 8192 AS bytes
FROM sys.tables AS t
INNER JOIN sys.dm_db_partition_stats AS s ON s.object_id = t.object_id
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
GROUP BY t.name
ORDER BY t.name
