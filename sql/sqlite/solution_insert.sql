INSERT OR FAIL INTO bitrix_lead_solution (member_id, sql_LEAD_ID, sql_solution)
SELECT s.member_id, s.sql_LEAD_ID, s.sql_solution
FROM stage_solutions AS s
