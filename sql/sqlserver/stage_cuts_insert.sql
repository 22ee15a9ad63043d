INSERT INTO #stage_cuts (member_id, sql_ID, sql_error, sql_date_error)
VALUES (@member_id, @sql_ID, @sql_error, @sql_date_error)
