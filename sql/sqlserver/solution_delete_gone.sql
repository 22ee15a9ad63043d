DELETE c
FROM dbo.bitrix_lead_solution AS c
INNER JOIN #stage_marks AS s ON s.member_id = c.member_id AND s.sql_ID = c.sql_LEAD_ID
WHERE s.gone = 1
