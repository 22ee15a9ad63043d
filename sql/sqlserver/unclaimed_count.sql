SELECT COUNT(*) FROM dbo.bitrix_leads AS l WHERE l.member_id = N''
