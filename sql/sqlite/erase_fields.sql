DELETE FROM leadsync_lead_fields
WHERE member_id = @member_id AND lead_id IN (
    SELECT DISTINCT t.lead_id FROM leadsync_lead_fields AS t WHERE t.member_id = @member_id LIMIT 1000
)
