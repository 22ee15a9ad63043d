-- contacts_insert.sql for a list of rows. Texts in it have ^ codes in place of what would be escaped (repo/pack.go).
INSERT INTO dbo.bitrix_lead_contacts (member_id, sql_LEAD_ID, sql_CONTACT_ID, sql_VALUE_TYPE, sql_VALUE, sql_TYPE_ID)
SELECT
    j.member_id, j.sql_LEAD_ID, j.sql_CONTACT_ID, j.sql_VALUE_TYPE,
    REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(j.sql_VALUE COLLATE Latin1_General_BIN2, N'^q', N'"'), N'^b', N'\'), N'^n', NCHAR(10)), N'^r', NCHAR(13)), N'^t', NCHAR(9)), N'^0', N'^'),
    j.sql_TYPE_ID
FROM OPENJSON(@contacts) WITH (
    member_id nvarchar(64) '$.member_id', sql_LEAD_ID int '$.sql_LEAD_ID',
    sql_CONTACT_ID nvarchar(max) '$.sql_CONTACT_ID', sql_VALUE_TYPE nvarchar(max) '$.sql_VALUE_TYPE',
    sql_VALUE nvarchar(max) '$.sql_VALUE', sql_TYPE_ID nvarchar(max) '$.sql_TYPE_ID'
) AS j
