-- Inserts one row for each lead and reason, however often the lead is written. Without LOOP: the index has only the portal, so
-- a loop would read all rows of the portal for each new one. It does not lock the rows that it reads.
INSERT INTO dbo.bitrix_import_lead_error (member_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
SELECT s.member_id, s.sql_ID, s.sql_error, CONVERT(datetime2(0), s.sql_date_error, 126), s.sql_full_lead_info
FROM #stage_cuts AS s
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.bitrix_import_lead_error AS e
    WHERE e.member_id = s.member_id AND e.sql_ID = s.sql_ID AND e.sql_error = s.sql_error
)
