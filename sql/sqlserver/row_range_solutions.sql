SELECT c.sql_LEAD_ID, c.sql_solution
FROM dbo.bitrix_lead_solution AS c
WHERE c.member_id = @member_id AND c.sql_LEAD_ID > @after AND c.sql_LEAD_ID <= @up_to
ORDER BY c.sql_LEAD_ID, c.Id
