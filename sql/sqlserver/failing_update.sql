UPDATE dbo.leadsync_failures SET event = @event, reason = @reason, attempts = @attempts,
    last_at = CONVERT(datetimeoffset(3), @last_at, 127), next_attempt_at = CONVERT(datetimeoffset(3), @next_attempt_at, 127)
WHERE member_id = @member_id AND lead_id = @lead_id
