INSERT OR FAIL INTO leadsync_phones (
    digits10, repeated, closed, created_at, lead_id, member_id, position, contact_id, e164, extension
)
SELECT
    s.digits10, s.repeated, s.closed, s.created_at, s.lead_id, s.member_id, s.position, s.contact_id, s.e164, s.extension
FROM stage_phones AS s
