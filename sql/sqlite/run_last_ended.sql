-- The newest full pass that has ended, completed or not. Each kind is read from its end.
SELECT
    r.id, r.member_id, r.mode, r.state, r.dry_run, r.requested_at, r.started_at, r.finished_at,
    r.checkpoint_id, r.error, r.scanned, r.unchanged, r.missed, r.stale, r.phantom, r.unreadable,
    r.rows_inserted, r.rows_updated, r.rows_deleted, r.requests,
    r.claimed_epoch, r.max_deletes, r.since_at, r.portal_at, r.refused, r.unprocessable, r.failing
FROM leadsync_runs AS r
WHERE r.seq = (
    SELECT MAX(b.seq)
    FROM (
        SELECT (
            SELECT f.seq FROM leadsync_runs AS f
            WHERE f.member_id = @member_id AND f.mode = k.mode AND f.dry_run = 0 AND f.state IN ('completed', 'incomplete')
            ORDER BY f.seq DESC LIMIT 1
        ) AS seq
        FROM (SELECT 'import' AS mode UNION ALL SELECT 'full') AS k
    ) AS b
)
