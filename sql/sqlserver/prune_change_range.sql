-- The last of the next rows, and how many of them are not young: old, or of tomorrow and later. Rows are in the order in which they were written.
SELECT COALESCE(MAX(n.id), 0), COALESCE(SUM(CASE WHEN n.changed_at < CONVERT(datetimeoffset(3), @before, 127) OR n.changed_at > CONVERT(datetimeoffset(3), @tomorrow, 127) THEN 1 ELSE 0 END), 0)
FROM (
    SELECT TOP (@limit) c.id, c.changed_at
    FROM dbo.leadsync_changes AS c
    WHERE c.id > @after
    ORDER BY c.id
) AS n
