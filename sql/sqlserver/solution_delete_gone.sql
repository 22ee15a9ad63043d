DELETE c
FROM #stage_marks AS s
INNER LOOP JOIN dbo.bitrix_lead_solution AS c ON c.member_id = s.member_id AND c.sql_LEAD_ID = s.sql_ID
WHERE s.gone = 1
