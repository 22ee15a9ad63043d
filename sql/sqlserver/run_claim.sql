UPDATE dbo.leadsync_runs
SET state = 'running', started_at = COALESCE(started_at, CONVERT(datetimeoffset(3), @started_at, 127)),
    claimed_epoch = @epoch
WHERE id = @id AND state = @was_state AND claimed_epoch = @was_epoch
