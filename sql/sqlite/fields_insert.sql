INSERT OR FAIL INTO leadsync_lead_fields (member_id, lead_id, field, position, value)
SELECT s.member_id, s.lead_id, s.field, s.position, s.value
FROM stage_fields AS s
