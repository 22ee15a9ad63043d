UPDATE dbo.bitrix_lead_contacts SET member_id = N'' WHERE Id > @after AND Id <= @upto AND member_id IS NULL
