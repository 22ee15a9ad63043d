-- Not if another run of the mode was requested since: there is at most one.
UPDATE leadsync_runs SET state = 'requested', max_deletes = @max_deletes
WHERE id = @id AND state = 'paused' AND NOT EXISTS (
    SELECT 1 FROM leadsync_runs AS t
    WHERE t.member_id = @member_id AND t.mode = @mode AND t.dry_run IN (0, 1) AND t.state IN ('requested', 'running')
)
