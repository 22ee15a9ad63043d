DELETE FROM dbo.bitrix_oauth WHERE member_id = @member_id
