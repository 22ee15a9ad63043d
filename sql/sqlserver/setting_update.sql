UPDATE dbo.leadsync_settings SET value = @value WHERE name = @name
