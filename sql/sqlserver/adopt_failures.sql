UPDATE dbo.bitrix_import_lead_error SET member_id = @member_id WHERE member_id = ''
