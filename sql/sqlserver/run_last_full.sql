-- The newest requested full pass, in whatever state.
SELECT
    r.id, r.member_id, r.mode, r.state, r.dry_run, r.requested_at, r.started_at, r.finished_at,
    r.checkpoint_id, r.error, r.scanned, r.unchanged, r.missed, r.stale, r.phantom, r.unreadable,
    r.rows_inserted, r.rows_updated, r.rows_deleted, r.requests,
    r.claimed_epoch, r.max_deletes, r.since_at, r.portal_at, r.refused, r.unprocessable, r.failing
FROM dbo.leadsync_runs AS r
WHERE r.seq = (
    SELECT MAX(b.seq)
    FROM (
        SELECT MAX(f.seq) AS seq FROM dbo.leadsync_runs AS f
        WHERE f.member_id = @member_id AND f.mode = 'full' AND f.dry_run = 0
        UNION ALL
        SELECT MAX(i.seq) FROM dbo.leadsync_runs AS i
        WHERE i.member_id = @member_id AND i.mode = 'import' AND i.dry_run = 0
    ) AS b
)
