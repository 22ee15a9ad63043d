UPDATE leadsync_failures SET event = @event, reason = @reason, attempts = @attempts, last_at = @last_at, next_attempt_at = @next_attempt_at
WHERE member_id = @member_id AND lead_id = @lead_id
