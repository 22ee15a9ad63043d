-- Objects that are bound to the schema of the tables, and whether they are indexed.
SELECT DISTINCT o.name AS object, t.name AS [table], c.name AS [column], TYPE_NAME(c.system_type_id) AS type,
    CASE WHEN EXISTS (SELECT 1 FROM sys.indexes AS i WHERE i.object_id = o.object_id) THEN 1 ELSE 0 END AS indexed
FROM sys.tables AS t
INNER JOIN sys.sql_expression_dependencies AS e ON e.referenced_id = t.object_id AND e.is_schema_bound_reference = 1
INNER JOIN sys.objects AS o ON o.object_id = e.referencing_id AND o.type IN (N'V', N'FN', N'IF', N'TF', N'P')
LEFT JOIN sys.columns AS c ON c.object_id = t.object_id AND c.column_id = e.referenced_minor_id
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
