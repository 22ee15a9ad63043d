INSERT INTO bitrix_lead_solution (member_id, sql_LEAD_ID, sql_solution)
SELECT s.member_id, s.sql_ID, s.solution
FROM stage_leads AS s
WHERE s.solution IS NOT NULL
