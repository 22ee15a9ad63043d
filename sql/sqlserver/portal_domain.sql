UPDATE dbo.bitrix_oauth SET domain = @domain WHERE member_id = @member_id
