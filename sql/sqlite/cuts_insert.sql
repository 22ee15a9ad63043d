-- Inserts one row for each lead and reason, however often the lead is written.
INSERT INTO bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
SELECT s.member_id, CAST(s.sql_ID AS INTEGER), s.sql_ID, s.sql_error, s.sql_date_error, s.sql_full_lead_info
FROM stage_cuts AS s
WHERE NOT EXISTS (
    SELECT 1 FROM bitrix_import_lead_error AS e
    WHERE e.member_id = s.member_id AND e.lead_id = CAST(s.sql_ID AS INTEGER) AND e.sql_error = s.sql_error
)
