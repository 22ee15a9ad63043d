SELECT t.name AS [table], CONVERT(bigint, i.last_value) AS last
FROM sys.tables AS t
INNER JOIN sys.identity_columns AS i ON i.object_id = t.object_id
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
    AND i.last_value IS NOT NULL AND TYPE_NAME(i.system_type_id) = N'int'
