DELETE FROM leadsync_outbox
WHERE id IN (SELECT j.value FROM json_each(@ids) AS j)
