INSERT INTO dbo.bitrix_lead_runtime (lead_get_by_id_dt, lead_list_dt)
SELECT NULL, NULL
WHERE NOT EXISTS (SELECT 1 FROM dbo.bitrix_lead_runtime AS r WITH (UPDLOCK, HOLDLOCK))
