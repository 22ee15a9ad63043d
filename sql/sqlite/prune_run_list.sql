-- Runs that ended before @before and that nobody needs: a later pass of the same mode has completed, so the newest one stays; and
-- where a finding was not repaired, a later full pass has looked at all leads again.
SELECT r.id
FROM leadsync_runs AS r
WHERE r.finished_at < @before AND r.state IN ('completed', 'incomplete')
    AND EXISTS (
        SELECT 1 FROM leadsync_runs AS n
        WHERE n.member_id = r.member_id AND n.mode = r.mode AND n.dry_run = 0 AND n.state = 'completed'
            AND n.started_at > COALESCE(r.started_at, r.requested_at) AND n.seq > r.seq AND n.portal_at IS NOT NULL
    )
    AND (
        NOT EXISTS (
            SELECT 1 FROM leadsync_findings AS f
            WHERE f.run_id = r.id AND f.repaired IN ('pending', 'missing', 'withheld', 'failed')
        )
        OR EXISTS (
            SELECT 1 FROM leadsync_runs AS p
            WHERE p.member_id = r.member_id AND p.mode = 'full' AND p.dry_run = 0 AND p.state = 'completed'
                AND p.started_at > r.finished_at
        )
    )
ORDER BY r.finished_at
LIMIT @limit
