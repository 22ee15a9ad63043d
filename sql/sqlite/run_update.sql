UPDATE leadsync_runs SET
    state = @state,
    started_at = @started_at,
    finished_at = @finished_at,
    checkpoint_id = @checkpoint_id,
    error = @error,
    scanned = @scanned,
    unchanged = @unchanged,
    missed = @missed,
    stale = @stale,
    phantom = @phantom,
    unreadable = @unreadable,
    rows_inserted = @rows_inserted,
    rows_updated = @rows_updated,
    rows_deleted = @rows_deleted,
    requests = @requests
WHERE id = @id
