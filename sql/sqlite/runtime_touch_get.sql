UPDATE bitrix_lead_runtime SET lead_get_by_id_dt = @at
WHERE Id = (SELECT MIN(r.Id) FROM bitrix_lead_runtime AS r)
