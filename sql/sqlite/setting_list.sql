SELECT s.name, s.value FROM leadsync_settings AS s
