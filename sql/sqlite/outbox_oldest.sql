SELECT o.created_at
FROM leadsync_outbox AS o
ORDER BY o.id
LIMIT 1
