UPDATE bitrix_lead_runtime SET lead_list_dt = @at
WHERE Id = (SELECT MIN(r.Id) FROM bitrix_lead_runtime AS r)
