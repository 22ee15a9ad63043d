-- A time in the future was stored before the clock was set back; such leads are read again, too.
SELECT l.sql_ID
FROM bitrix_leads AS l
WHERE l.member_id = @member_id AND l.deleted_at IS NULL
    AND (l.absent_since <= @until OR l.absent_since > @now)
ORDER BY l.sql_ID
LIMIT @limit
