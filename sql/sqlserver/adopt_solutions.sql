UPDATE dbo.bitrix_lead_solution SET member_id = @member_id WHERE member_id = ''
