SELECT MAX(k.Id)
FROM (SELECT TOP (@most) t.Id FROM dbo.bitrix_lead_solution AS t WHERE t.member_id IS NULL AND t.Id > @after ORDER BY t.Id) AS k
