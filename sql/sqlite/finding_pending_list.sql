-- Findings stored before a repair and not settled.
SELECT f.run_id, f.member_id, f.lead_id, f.kind, f.fields, f.found_at, f.repaired, f.cause, f.seconds_behind
FROM leadsync_findings AS f
WHERE f.run_id = @run_id AND f.repaired = 'pending'
ORDER BY f.lead_id
