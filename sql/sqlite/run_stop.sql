UPDATE leadsync_runs SET state = @state, finished_at = @finished_at, error = @error
WHERE id = @id AND state IN ('requested', 'running', 'paused')
