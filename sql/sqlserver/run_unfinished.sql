SELECT r.id
FROM dbo.leadsync_runs AS r
WHERE r.member_id = @member_id AND r.mode = @mode AND r.dry_run = @dry_run AND r.state IN ('requested', 'running')
    AND r.checkpoint_id = 0 AND r.scanned = 0
