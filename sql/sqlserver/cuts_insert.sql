-- Inserts one row for each lead and reason, however often the lead is written. It finds them by leadsync's own column lead_id:
-- sql_ID is too wide for an index. It does not lock the rows that it reads. COLLATE stands on both sides, because columns of an adopted
-- table may have a collation of their own.
INSERT INTO dbo.bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
SELECT s.member_id, CONVERT(int, s.sql_ID), s.sql_ID, s.sql_error, CONVERT(datetime2(0), s.sql_date_error, 126), s.sql_full_lead_info
FROM #stage_cuts AS s
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.bitrix_import_lead_error AS e
    WHERE e.member_id = s.member_id COLLATE DATABASE_DEFAULT
        AND e.lead_id = CONVERT(int, s.sql_ID)
        AND e.sql_error COLLATE DATABASE_DEFAULT = s.sql_error COLLATE DATABASE_DEFAULT
)
OPTION (LOOP JOIN)
