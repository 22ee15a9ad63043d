SELECT p.member_id
FROM leadsync_portals AS p
WHERE EXISTS (SELECT 1 FROM leadsync_outbox AS o WHERE o.member_id = p.member_id)
