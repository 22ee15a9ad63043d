SELECT f.lead_id, f.field, f.position, f.value
FROM leadsync_lead_fields AS f
WHERE f.member_id = @member_id AND f.lead_id > @after AND f.lead_id <= @up_to
ORDER BY f.lead_id, f.field, f.position
