-- The database decides what is newer. was_ticket is the row's ticket when it was locked. A row that has changed since is
-- skipped; the caller counts the affected rows and runs the transaction again.
UPDATE l SET
    read_ticket = s.read_ticket,
    revision = s.revision,
    absent_since = CONVERT(datetimeoffset(3), s.absent_since, 127),
    deleted_at = CONVERT(datetimeoffset(3), s.deleted_at, 127)
FROM OPENJSON(@marks) WITH (
    member_id nvarchar(64) '$.member_id', sql_ID int '$.sql_ID', was_ticket bigint '$.was_ticket',
    read_ticket bigint '$.read_ticket', revision bigint '$.revision', absent_since nvarchar(40) '$.absent_since',
    deleted_at nvarchar(40) '$.deleted_at'
) AS s
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.member_id = s.member_id COLLATE DATABASE_DEFAULT AND l.sql_ID = s.sql_ID
WHERE l.read_ticket <= s.read_ticket AND l.read_ticket = s.was_ticket
