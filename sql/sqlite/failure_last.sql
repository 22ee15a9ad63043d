SELECT COALESCE(MAX(e.Id), 0) FROM bitrix_import_lead_error AS e
