-- A time in the future was stored before the clock was set back; such leads are read again, too. Each of the two is a seek among
-- the rows that are marked as absent.
SELECT TOP (@limit) m.sql_ID
FROM (
    SELECT a.sql_ID
    FROM dbo.bitrix_leads AS a
    WHERE a.member_id = @member_id AND a.absent_since <= CONVERT(datetimeoffset(3), @until, 127) AND a.deleted_at IS NULL
    UNION ALL
    SELECT b.sql_ID
    FROM dbo.bitrix_leads AS b
    WHERE b.member_id = @member_id AND b.absent_since > CONVERT(datetimeoffset(3), @now, 127) AND b.deleted_at IS NULL
) AS m
ORDER BY m.sql_ID
