INSERT INTO dbo.leadsync_failures (member_id, lead_id, event, reason, attempts, first_at, last_at, next_attempt_at)
VALUES (@member_id, @lead_id, @event, @reason, @attempts, CONVERT(datetimeoffset(3), @last_at, 127),
    CONVERT(datetimeoffset(3), @last_at, 127), CONVERT(datetimeoffset(3), @next_attempt_at, 127))
