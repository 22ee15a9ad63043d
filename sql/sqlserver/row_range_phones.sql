SELECT p.lead_id, p.digits10, p.e164, p.extension, p.contact_id, p.repeated, p.position, p.closed, p.created_at
FROM dbo.leadsync_phones AS p
WHERE p.member_id = @member_id AND p.lead_id > @after AND p.lead_id <= @up_to
ORDER BY p.lead_id, p.position, p.id
