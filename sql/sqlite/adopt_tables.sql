-- How many of the call centre's tables are there.
SELECT COUNT(*)
FROM sqlite_schema AS t
WHERE t.type = 'table'
    AND t.name IN ('bitrix_leads', 'bitrix_lead_contacts', 'bitrix_lead_solution', 'bitrix_import_lead_error', 'bitrix_lead_runtime', 'bitrix_oauth')
