SELECT MAX(k.Id)
FROM (SELECT t.Id FROM bitrix_lead_contacts AS t WHERE +t.member_id = '' AND t.Id > @after ORDER BY t.Id LIMIT @most) AS k
