UPDATE dbo.bitrix_lead_runtime SET lead_list_dt = CONVERT(datetime, @at, 126) WHERE Id = 1
