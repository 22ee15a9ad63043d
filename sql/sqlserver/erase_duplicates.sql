DELETE TOP (1000) FROM dbo.leadsync_duplicate_leads WHERE member_id = @member_id
