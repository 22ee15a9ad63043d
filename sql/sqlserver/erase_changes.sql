DELETE TOP (1000) FROM dbo.leadsync_changes WHERE member_id = @member_id
