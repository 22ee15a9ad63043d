SELECT MIN(o.created_at) FROM dbo.leadsync_outbox AS o
