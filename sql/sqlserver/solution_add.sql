-- solution_insert.sql for a list of rows. Texts have ^ codes in place of what would be escaped (repo/pack.go).
INSERT INTO dbo.bitrix_lead_solution (member_id, sql_LEAD_ID, sql_solution)
SELECT
    j.member_id, j.sql_LEAD_ID,
    REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(j.sql_solution COLLATE Latin1_General_BIN2, N'^q', N'"'), N'^b', N'\'), N'^n', NCHAR(10)), N'^r', NCHAR(13)), N'^t', NCHAR(9)), N'^0', N'^')
FROM OPENJSON(@solutions) WITH (
    member_id nvarchar(64) '$.member_id', sql_LEAD_ID int '$.sql_LEAD_ID',
    sql_solution nvarchar(max) '$.sql_solution'
) AS j
