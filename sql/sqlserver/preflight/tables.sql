-- Tables of a special kind.
SELECT t.name AS [table], CONVERT(int, t.is_memory_optimized) AS memory, CONVERT(int, t.temporal_type) AS temporal
FROM sys.tables AS t
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
    AND (t.is_memory_optimized = 1 OR t.temporal_type <> 0)
