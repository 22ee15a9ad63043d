-- LOOP, here and in every statement that joins a stage to a table: row by row of the stage, by index. A scan of the table
-- would wait for everybody's locks, and lock it whole.
DELETE c
FROM #stage_leads AS s
INNER LOOP JOIN dbo.bitrix_lead_contacts AS c ON c.member_id = s.member_id AND c.sql_LEAD_ID = s.sql_ID
