SELECT COUNT(*) AS rows, COUNT(DISTINCT l.sql_ID) AS leads FROM bitrix_leads AS l
