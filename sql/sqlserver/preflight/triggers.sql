SELECT g.name AS [trigger], t.name AS [table]
FROM sys.tables AS t
INNER JOIN sys.triggers AS g ON g.parent_id = t.object_id AND g.is_disabled = 0
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
