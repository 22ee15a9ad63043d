INSERT INTO dbo.bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_full_lead_info, sql_date_error)
VALUES (@member_id, CONVERT(int, @lead_id), @lead_id, @error, @payload, CONVERT(datetime2(0), @at, 126))
