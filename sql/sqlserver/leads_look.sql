SELECT l.sql_ID, l.read_ticket, l.revision, l.row_hash, l.read_at, l.deleted_at, l.absent_since, l.raw_json
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.member_id = @member_id AND l.sql_ID = CONVERT(int, j.value)
