UPDATE leadsync_settings SET value = @value WHERE name = @name
