UPDATE dbo.bitrix_leads SET member_id = N'', read_ticket = 0, revision = 0 WHERE Id > @after AND Id <= @upto AND member_id IS NULL
