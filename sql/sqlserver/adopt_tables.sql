-- How many of the call centre's tables are there.
SELECT COUNT(*)
FROM sys.tables AS t
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
