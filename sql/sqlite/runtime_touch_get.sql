UPDATE bitrix_lead_runtime SET lead_get_by_id_dt = @at WHERE Id = 1
