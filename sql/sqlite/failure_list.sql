SELECT e.Id, e.sql_full_lead_info
FROM bitrix_import_lead_error AS e
WHERE e.Id > @after AND e.sql_full_lead_info IS NOT NULL
ORDER BY e.Id
LIMIT @limit
