-- Changes that a completed pass has missed are later than its start. One over ids does not read the leads. (<>, not IN: so the
-- newest is the last of an index, and no list of all.)
SELECT r.portal_at, r.started_at
FROM dbo.leadsync_runs AS r
WHERE r.seq = (
    SELECT MAX(t.seq) FROM dbo.leadsync_runs AS t
    WHERE t.member_id = @member_id AND t.state = 'completed' AND t.dry_run = 0 AND t.portal_at IS NOT NULL
        AND t.mode <> 'ids'
)
