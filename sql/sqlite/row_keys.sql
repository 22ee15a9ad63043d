SELECT l.sql_ID, l.read_ticket, l.deleted_at
FROM bitrix_leads AS l
WHERE l.member_id = @member_id AND l.sql_ID > @after AND l.sql_ID <= @up_to
ORDER BY l.sql_ID
LIMIT @limit
