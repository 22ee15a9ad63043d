SELECT t.name AS "trigger", t.tbl_name AS "table"
FROM sqlite_schema AS t
WHERE t.type = 'trigger' AND t.tbl_name IN ('bitrix_leads', 'bitrix_lead_contacts', 'bitrix_lead_solution', 'bitrix_import_lead_error', 'bitrix_lead_runtime', 'bitrix_oauth')
