UPDATE dbo.bitrix_lead_runtime SET lead_get_by_id_dt = CONVERT(datetime2(0), @at, 126)
WHERE Id = (SELECT MIN(r.Id) FROM dbo.bitrix_lead_runtime AS r)
