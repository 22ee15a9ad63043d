UPDATE dbo.bitrix_import_lead_error SET sql_full_lead_info = @payload
WHERE Id = @id
