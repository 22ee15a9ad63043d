-- LOOP, here and in every statement that joins a temporary table to another: it looks up row by row, by index. A scan would
-- wait for all locks of other transactions, and lock the whole table.
DELETE c
FROM #stage_leads AS s
INNER LOOP JOIN dbo.bitrix_lead_contacts AS c ON c.member_id = s.member_id AND c.sql_LEAD_ID = s.sql_ID
