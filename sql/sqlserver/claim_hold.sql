-- Keeps other claims out until the transaction ends. No row: another portal claims.
UPDATE dbo.leadsync_settings SET value = @member_id WHERE name = @name AND value = @member_id
