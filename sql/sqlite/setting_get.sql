SELECT s.value FROM leadsync_settings AS s WHERE s.name = @name
