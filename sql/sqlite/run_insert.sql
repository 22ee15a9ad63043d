-- At most one unfinished run of a mode: a second request joins the first run. Dry runs and runs with repairs do not join each
-- other.
INSERT INTO leadsync_runs (
    id, member_id, mode, state, dry_run, requested_at, checkpoint_id, claimed_epoch,
    scanned, unchanged, missed, stale, phantom, unreadable, rows_inserted, rows_updated, rows_deleted, requests,
    max_deletes, refused, unprocessable
)
SELECT
    @id, @member_id, @mode, @state, @dry_run, @requested_at, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    @max_deletes, 0, 0
WHERE NOT EXISTS (
    SELECT 1 FROM leadsync_runs AS t
    WHERE t.member_id = @member_id AND t.mode = @mode AND t.dry_run = @dry_run AND t.state IN ('requested', 'running')
)
