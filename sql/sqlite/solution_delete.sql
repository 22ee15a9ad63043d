DELETE FROM bitrix_lead_solution WHERE Id IN (SELECT j.value FROM json_each(@solutions_gone) AS j)
