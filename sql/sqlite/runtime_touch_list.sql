UPDATE bitrix_lead_runtime SET lead_list_dt = @at WHERE Id = 1
