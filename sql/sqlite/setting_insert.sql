INSERT INTO leadsync_settings (name, value)
VALUES (@name, @value)
ON CONFLICT DO NOTHING
