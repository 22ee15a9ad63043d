SELECT TOP (@limit) o.id, o.body
FROM dbo.leadsync_outbox AS o
ORDER BY o.id
