DELETE FROM leadsync_runs WHERE id = @id
