SELECT m.version_id FROM leadsync_migrations AS m WHERE m.is_applied = 1
