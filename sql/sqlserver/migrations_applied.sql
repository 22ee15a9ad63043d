SELECT m.version_id FROM dbo.leadsync_migrations AS m WHERE m.is_applied = 1
