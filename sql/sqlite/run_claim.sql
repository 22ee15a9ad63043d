UPDATE leadsync_runs
SET state = 'running', started_at = COALESCE(started_at, @started_at), claimed_epoch = @epoch
WHERE id = @id AND state = @was_state AND claimed_epoch = @was_epoch
