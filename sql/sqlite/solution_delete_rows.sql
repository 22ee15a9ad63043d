DELETE FROM bitrix_lead_solution
WHERE member_id = @member_id
    AND sql_LEAD_ID IN (SELECT j.value FROM json_each(@ids) AS j)
