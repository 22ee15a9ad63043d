-- Only the owner that has claimed the run may update it. Its state stays if an operator has paused it or given it up.
UPDATE leadsync_runs SET
    state = CASE WHEN state IN ('paused', 'incomplete') AND @state = 'running' THEN state ELSE @state END,
    started_at = @started_at,
    finished_at = CASE WHEN state = 'incomplete' AND @state = 'running' THEN finished_at ELSE @finished_at END,
    checkpoint_id = @checkpoint_id,
    error = CASE WHEN state = 'incomplete' AND @state = 'running' THEN error ELSE @error END,
    scanned = @scanned,
    unchanged = @unchanged,
    missed = @missed,
    stale = @stale,
    phantom = @phantom,
    unreadable = @unreadable,
    rows_inserted = @rows_inserted,
    rows_updated = @rows_updated,
    rows_deleted = @rows_deleted,
    requests = @requests,
    since_at = @since_at,
    portal_at = @portal_at,
    refused = @refused,
    unprocessable = @unprocessable,
    failing = @failing
WHERE id = @id AND claimed_epoch = @claimed_epoch
