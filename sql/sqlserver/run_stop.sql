UPDATE dbo.leadsync_runs SET state = @state, finished_at = CONVERT(datetimeoffset(3), @finished_at, 127), error = @error
WHERE id = @id AND state IN ('requested', 'running', 'paused')
