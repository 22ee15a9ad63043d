DELETE FROM bitrix_lead_contacts
WHERE Id IN (SELECT t.Id FROM bitrix_lead_contacts AS t WHERE t.member_id = @member_id LIMIT 1000)
