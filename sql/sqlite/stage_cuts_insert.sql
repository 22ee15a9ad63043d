INSERT INTO stage_cuts (member_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
VALUES (@member_id, @sql_ID, @sql_error, @sql_date_error, @sql_full_lead_info)
