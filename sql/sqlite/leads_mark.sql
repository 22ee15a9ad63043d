-- The database decides what is newer. was_ticket is the row's ticket when it was locked. A row that has changed since is
-- skipped; the caller counts the affected rows and runs the transaction again.
UPDATE bitrix_leads AS l SET
    read_ticket = s.read_ticket,
    revision = s.revision,
    absent_since = s.absent_since,
    deleted_at = s.deleted_at
FROM (
    SELECT
        j.value ->> 'member_id' AS member_id,
        j.value ->> 'sql_ID' AS sql_ID,
        j.value ->> 'was_ticket' AS was_ticket,
        j.value ->> 'read_ticket' AS read_ticket,
        j.value ->> 'revision' AS revision,
        j.value ->> 'absent_since' AS absent_since,
        j.value ->> 'deleted_at' AS deleted_at
    FROM json_each(@marks) AS j
) AS s
WHERE s.member_id = l.member_id AND s.sql_ID = l.sql_ID
    AND l.read_ticket <= s.read_ticket AND l.read_ticket = s.was_ticket
