UPDATE dbo.bitrix_leads SET member_id = @member_id WHERE member_id = ''
