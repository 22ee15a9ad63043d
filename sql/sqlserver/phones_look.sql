SELECT p.id, p.lead_id, p.digits10, p.e164, p.extension, p.contact_id, p.repeated, p.position, p.closed, p.created_at
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_phones AS p ON p.member_id = @member_id AND p.lead_id = CONVERT(int, j.value)
