DELETE TOP (1000) FROM dbo.leadsync_findings WHERE member_id = @member_id
