SELECT COUNT(*) FROM dbo.leadsync_outbox
