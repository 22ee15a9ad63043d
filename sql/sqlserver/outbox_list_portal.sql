SELECT TOP (@limit) o.id, o.body
FROM dbo.leadsync_outbox AS o
WHERE o.member_id = @member_id
ORDER BY o.id
