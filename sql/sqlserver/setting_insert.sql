INSERT INTO dbo.leadsync_settings (name, value)
SELECT @name, @value
WHERE NOT EXISTS (SELECT 1 FROM dbo.leadsync_settings AS s WITH (UPDLOCK, HOLDLOCK) WHERE s.name = @name)
