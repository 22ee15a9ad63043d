SELECT o.id, o.body
FROM leadsync_outbox AS o
WHERE o.member_id = @member_id
ORDER BY o.id
LIMIT @limit
