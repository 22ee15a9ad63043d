-- Changes that a completed pass has missed are later than its start.
SELECT TOP (1) r.portal_at
FROM dbo.leadsync_runs AS r
WHERE r.member_id = @member_id AND r.state = 'completed' AND r.dry_run = 0 AND r.portal_at IS NOT NULL
    AND r.mode IN ('import', 'full', 'changed')
ORDER BY r.seq DESC
