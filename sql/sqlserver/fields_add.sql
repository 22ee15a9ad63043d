-- fields_insert.sql for a list of rows. Values have ^ codes in place of what would be escaped (repo/pack.go).
INSERT INTO dbo.leadsync_lead_fields (member_id, lead_id, field, position, value)
SELECT
    j.member_id, j.lead_id, j.field, j.position,
    REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(j.value COLLATE Latin1_General_BIN2, N'^q', N'"'), N'^b', N'\'), N'^n', NCHAR(10)), N'^r', NCHAR(13)), N'^t', NCHAR(9)), N'^0', N'^')
FROM OPENJSON(@fields) WITH (
    member_id nvarchar(64) '$.member_id', lead_id int '$.lead_id', field nvarchar(max) '$.field',
    position int '$.position', value nvarchar(max) '$.value'
) AS j
