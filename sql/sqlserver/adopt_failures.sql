UPDATE dbo.bitrix_import_lead_error SET member_id = N'' WHERE Id > @after AND Id <= @upto AND member_id IS NULL
