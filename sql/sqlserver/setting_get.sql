SELECT s.value FROM dbo.leadsync_settings AS s WHERE s.name = @name
