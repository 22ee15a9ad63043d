-- UPDLOCK and HOLDLOCK keep these rows, and the gaps where rows are missing, until the transaction ends.
SELECT l.sql_ID, l.read_ticket, l.revision, l.row_hash, l.deleted_at, l.absent_since, l.raw_json
FROM dbo.bitrix_leads AS l WITH (UPDLOCK, HOLDLOCK)
WHERE l.member_id = @member_id
    AND l.sql_ID IN (SELECT CONVERT(int, j.value) FROM OPENJSON(@ids) AS j)
