SELECT TOP (1) o.created_at
FROM dbo.leadsync_outbox AS o
ORDER BY o.id
