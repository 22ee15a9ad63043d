DELETE TOP (1000) FROM dbo.leadsync_lead_fields WHERE member_id = @member_id
