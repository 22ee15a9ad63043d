UPDATE bitrix_lead_contacts SET member_id = @member_id WHERE Id > @after AND Id <= @upto AND +member_id = ''
