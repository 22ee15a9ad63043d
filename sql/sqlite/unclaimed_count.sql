SELECT COUNT(*) FROM bitrix_leads AS l WHERE l.member_id = ''
