-- The columns of the call centre's tables. max_length counts bytes, -1 is max.
SELECT t.name AS [table], c.name AS [column], TYPE_NAME(c.system_type_id) AS type, c.max_length AS length, CONVERT(int, c.is_nullable) AS nullable,
    CONVERT(int, c.is_identity) AS [identity], CONVERT(int, c.is_computed) AS computed, c.collation_name AS collation,
    CASE WHEN c.default_object_id <> 0 THEN 1 ELSE 0 END AS defaulted
FROM sys.tables AS t
INNER JOIN sys.columns AS c ON c.object_id = t.object_id
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
ORDER BY t.name, c.column_id
