-- failing_get without its locks.
SELECT f.lead_id, f.event, f.reason, f.attempts, f.first_at, f.last_at, f.next_attempt_at
FROM dbo.leadsync_failures AS f
WHERE f.member_id = @member_id AND f.lead_id = @lead_id
