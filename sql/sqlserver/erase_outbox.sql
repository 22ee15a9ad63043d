DELETE TOP (1000) FROM dbo.leadsync_outbox WHERE member_id = @member_id
