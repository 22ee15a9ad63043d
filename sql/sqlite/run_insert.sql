-- At most one run of a mode that has not read anything yet: a second request joins it. A run that has read something may have
-- read what has changed since, so a request starts a new run after it. Dry runs and runs with repairs do not join each other.
INSERT INTO leadsync_runs (
    id, member_id, mode, state, dry_run, requested_at, checkpoint_id, claimed_epoch,
    scanned, unchanged, missed, stale, phantom, unreadable, rows_inserted, rows_updated, rows_deleted, requests,
    max_deletes, refused, unprocessable, failing
)
SELECT
    @id, @member_id, @mode, @state, @dry_run, @requested_at, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    @max_deletes, 0, 0, 0
WHERE NOT EXISTS (
    SELECT 1 FROM leadsync_runs AS t
    WHERE t.member_id = @member_id AND t.mode = @mode AND t.dry_run = @dry_run AND t.state IN ('requested', 'running')
        AND t.checkpoint_id = 0 AND t.scanned = 0
)
