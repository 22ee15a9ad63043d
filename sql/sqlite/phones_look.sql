SELECT p.id, p.lead_id, p.digits10, p.e164, p.extension, p.contact_id, p.repeated, p.position, p.closed, p.created_at
FROM leadsync_phones AS p
WHERE p.member_id = @member_id
    AND p.lead_id IN (SELECT j.value FROM json_each(@ids) AS j)
