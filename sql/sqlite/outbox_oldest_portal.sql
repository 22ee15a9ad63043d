SELECT o.created_at
FROM leadsync_outbox AS o
WHERE o.member_id = @member_id
ORDER BY o.id
LIMIT 1
