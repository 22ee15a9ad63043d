SELECT e.sql_full_lead_info
FROM bitrix_import_lead_error AS e
WHERE e.member_id = @member_id AND e.lead_id = CAST(@lead_id AS INTEGER) AND e.sql_full_lead_info IS NOT NULL
ORDER BY e.sql_date_error DESC, e.Id DESC
LIMIT 1
