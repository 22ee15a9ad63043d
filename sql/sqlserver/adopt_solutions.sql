UPDATE dbo.bitrix_lead_solution SET member_id = N'' WHERE Id > @after AND Id <= @upto AND member_id IS NULL
