SELECT c.Id, c.sql_LEAD_ID, c.sql_solution
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_lead_solution AS c ON c.member_id = @member_id AND c.sql_LEAD_ID = CONVERT(int, j.value)
