-- The call centre's own SQL uses the same function.
SELECT TOP (@limit)
    c.digits10, c.e164, c.extension, c.member_id, c.lead_id, c.title, c.name, c.company, c.responsible_id, c.status_id, c.is_open, c.created_at, c.modified_at, c.read_at, c.card_url
FROM dbo.bitrix_lead_by_phone(@digits10) AS c
ORDER BY c.[rank]
