-- Dry runs do not count: they repair nothing. The newest number is looked up in an index of its own, then the run.
SELECT
    r.id, r.member_id, r.mode, r.state, r.dry_run, r.requested_at, r.started_at, r.finished_at,
    r.checkpoint_id, r.error, r.scanned, r.unchanged, r.missed, r.stale, r.phantom, r.unreadable,
    r.rows_inserted, r.rows_updated, r.rows_deleted, r.requests,
    r.claimed_epoch, r.max_deletes, r.since_at, r.portal_at, r.refused, r.unprocessable, r.failing
FROM leadsync_runs AS r
WHERE r.seq = (
    SELECT MAX(t.seq) FROM leadsync_runs AS t
    WHERE t.member_id = @member_id AND t.state = 'completed' AND t.dry_run = 0
)
