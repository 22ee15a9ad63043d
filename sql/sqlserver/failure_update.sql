UPDATE dbo.bitrix_import_lead_error SET sql_full_lead_info = @payload, sql_date_error = CONVERT(datetime2(0), @at, 126)
WHERE member_id = @member_id AND lead_id = CONVERT(int, @lead_id) AND sql_error = @error
