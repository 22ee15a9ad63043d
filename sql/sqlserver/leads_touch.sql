-- Locks rows by writing them as they are. Used where locks of reading did not hold, which SQL Server's do.
UPDATE l SET revision = l.revision
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.member_id = @member_id AND l.sql_ID = CONVERT(int, j.value)
