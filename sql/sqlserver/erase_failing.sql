DELETE TOP (1000) FROM dbo.leadsync_failures WHERE member_id = @member_id
