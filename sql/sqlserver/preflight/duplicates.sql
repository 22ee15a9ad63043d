SELECT COUNT(*) AS [rows], COUNT(DISTINCT l.sql_ID) AS leads FROM dbo.bitrix_leads AS l
