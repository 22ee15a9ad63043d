SELECT o.id, o.body
FROM leadsync_outbox AS o
ORDER BY o.id
LIMIT @limit
