INSERT INTO leadsync_failures (member_id, lead_id, event, reason, attempts, first_at, last_at, next_attempt_at)
VALUES (@member_id, @lead_id, @event, @reason, @attempts, @last_at, @last_at, @next_attempt_at)
