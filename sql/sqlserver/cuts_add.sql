-- cuts_insert.sql for a list of rows. Texts have ^ codes in place of what would be escaped (repo/pack.go). COLLATE stands on both sides,
-- because columns of an adopted table may have a collation of their own.
INSERT INTO dbo.bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
SELECT
    s.member_id, CONVERT(int, s.sql_ID), s.sql_ID, s.sql_error, CONVERT(datetime2(0), s.sql_date_error, 126), s.sql_full_lead_info
FROM (
    SELECT
        j.member_id, j.sql_ID, j.sql_date_error,
        REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(j.sql_error COLLATE Latin1_General_BIN2, N'^q', N'"'), N'^b', N'\'), N'^n', NCHAR(10)), N'^r', NCHAR(13)), N'^t', NCHAR(9)), N'^0', N'^') AS sql_error,
        REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(j.sql_full_lead_info COLLATE Latin1_General_BIN2, N'^q', N'"'), N'^b', N'\'), N'^n', NCHAR(10)), N'^r', NCHAR(13)), N'^t', NCHAR(9)), N'^0', N'^') AS sql_full_lead_info
    FROM OPENJSON(@cuts) WITH (
        member_id nvarchar(64) '$.member_id', sql_ID nvarchar(20) '$.sql_ID', sql_error nvarchar(max) '$.sql_error',
        sql_date_error nvarchar(30) '$.sql_date_error', sql_full_lead_info nvarchar(max) '$.sql_full_lead_info'
    ) AS j
) AS s
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.bitrix_import_lead_error AS e
    WHERE e.member_id = s.member_id COLLATE DATABASE_DEFAULT
        AND e.lead_id = CONVERT(int, s.sql_ID)
        AND e.sql_error COLLATE DATABASE_DEFAULT = s.sql_error COLLATE DATABASE_DEFAULT
)
OPTION (LOOP JOIN)
