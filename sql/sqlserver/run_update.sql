UPDATE dbo.leadsync_runs SET
    state = @state,
    started_at = CONVERT(datetimeoffset(3), @started_at, 127),
    finished_at = CONVERT(datetimeoffset(3), @finished_at, 127),
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
