-- UPDLOCK and HOLDLOCK lock these rows, and the gaps where rows are missing, until the transaction ends; others can still read
-- them. LOOP looks them up one by one, in the order of the list; a scan would lock the whole table.
SELECT l.sql_ID, l.read_ticket, l.revision, l.row_hash, l.read_at, l.deleted_at, l.absent_since
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_leads AS l WITH (UPDLOCK, HOLDLOCK)
    ON l.member_id = @member_id AND l.sql_ID = CONVERT(int, j.value)
