INSERT INTO #stage_solutions (member_id, sql_LEAD_ID, sql_solution)
VALUES (@member_id, @sql_LEAD_ID, @sql_solution)
