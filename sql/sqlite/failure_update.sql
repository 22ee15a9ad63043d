UPDATE bitrix_import_lead_error SET sql_full_lead_info = @payload, sql_date_error = @at
WHERE member_id = @member_id AND lead_id = CAST(@lead_id AS INTEGER) AND sql_error = @error
