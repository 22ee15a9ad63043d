DELETE FROM dbo.leadsync_runs WHERE id = @id
