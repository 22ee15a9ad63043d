SELECT c.Id, c.sql_LEAD_ID, c.sql_solution
FROM bitrix_lead_solution AS c
WHERE c.member_id = @member_id
    AND c.sql_LEAD_ID IN (SELECT j.value FROM json_each(@ids) AS j)
