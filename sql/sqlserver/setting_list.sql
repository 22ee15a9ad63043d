SELECT s.name, s.value FROM dbo.leadsync_settings AS s
