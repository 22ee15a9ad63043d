-- The newest of a lead.
SELECT f.run_id, f.member_id, f.lead_id, f.kind, f.fields, f.found_at, f.repaired, f.cause, f.seconds_behind
FROM leadsync_findings AS f
WHERE f.member_id = @member_id AND f.lead_id = @lead_id
ORDER BY f.id DESC
LIMIT @limit
