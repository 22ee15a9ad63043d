DELETE c
FROM dbo.bitrix_lead_contacts AS c
INNER JOIN #stage_leads AS s ON s.member_id = c.member_id AND s.sql_ID = c.sql_LEAD_ID
