INSERT INTO bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_full_lead_info, sql_date_error)
VALUES (@member_id, CAST(@lead_id AS INTEGER), @lead_id, @error, @payload, @at)
