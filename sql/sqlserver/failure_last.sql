SELECT COALESCE(MAX(e.Id), 0) FROM dbo.bitrix_import_lead_error AS e
