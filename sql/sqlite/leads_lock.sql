-- The transaction began with IMMEDIATE: nothing else can write before it ends.
SELECT l.sql_ID, l.read_ticket, l.revision, l.row_hash, l.read_at, l.deleted_at, l.absent_since
FROM bitrix_leads AS l
WHERE l.member_id = @member_id
    AND l.sql_ID IN (SELECT j.value FROM json_each(@ids) AS j)
