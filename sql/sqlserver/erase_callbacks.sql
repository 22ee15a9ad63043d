DELETE TOP (1000) FROM dbo.leadsync_callbacks WHERE member_id = @member_id
