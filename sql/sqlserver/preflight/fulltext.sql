-- Columns in a full-text index.
SELECT t.name AS [table], c.name AS [column], TYPE_NAME(c.system_type_id) AS type
FROM sys.tables AS t
INNER JOIN sys.fulltext_index_columns AS f ON f.object_id = t.object_id
INNER JOIN sys.columns AS c ON c.object_id = f.object_id AND c.column_id = f.column_id
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
