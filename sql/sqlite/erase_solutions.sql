DELETE FROM bitrix_lead_solution
WHERE Id IN (SELECT t.Id FROM bitrix_lead_solution AS t WHERE t.member_id = @member_id LIMIT 1000)
