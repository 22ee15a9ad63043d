SELECT f.lead_id, f.event, f.reason, f.attempts, f.first_at, f.last_at, f.next_attempt_at
FROM dbo.leadsync_failures AS f WITH (UPDLOCK, HOLDLOCK)
WHERE f.member_id = @member_id AND f.lead_id = @lead_id
