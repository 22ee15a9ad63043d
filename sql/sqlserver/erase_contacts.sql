DELETE TOP (1000) FROM dbo.bitrix_lead_contacts WHERE member_id = @member_id
