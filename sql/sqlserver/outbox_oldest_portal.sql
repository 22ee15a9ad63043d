SELECT TOP (1) o.created_at
FROM dbo.leadsync_outbox AS o
WHERE o.member_id = @member_id
ORDER BY o.id
