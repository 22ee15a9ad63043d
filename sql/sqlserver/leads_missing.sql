-- A time in the future was stored before the clock was set back; such leads are read again, too.
SELECT TOP (@limit) l.sql_ID
FROM dbo.bitrix_leads AS l
WHERE l.member_id = @member_id AND l.deleted_at IS NULL
    AND (l.absent_since <= CONVERT(datetimeoffset(3), @until, 127) OR l.absent_since > CONVERT(datetimeoffset(3), @now, 127))
ORDER BY l.sql_ID
