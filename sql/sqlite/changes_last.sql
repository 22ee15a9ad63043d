-- When the newest change was written.
SELECT c.changed_at
FROM leadsync_changes AS c
WHERE c.id = (SELECT MAX(n.id) FROM leadsync_changes AS n)
