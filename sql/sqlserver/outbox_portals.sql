SELECT p.member_id
FROM dbo.leadsync_portals AS p
WHERE EXISTS (SELECT 1 FROM dbo.leadsync_outbox AS o WHERE o.member_id = p.member_id)
