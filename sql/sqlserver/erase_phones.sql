DELETE TOP (1000) FROM dbo.leadsync_phones WHERE member_id = @member_id
