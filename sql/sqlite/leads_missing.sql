SELECT l.sql_ID
FROM bitrix_leads AS l
WHERE l.member_id = @member_id AND l.deleted_at IS NULL AND l.absent_since <= @until
ORDER BY l.sql_ID
LIMIT @limit
