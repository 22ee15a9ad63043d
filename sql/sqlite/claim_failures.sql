UPDATE bitrix_import_lead_error SET member_id = @member_id WHERE Id > @after AND Id <= @upto AND +member_id = ''
