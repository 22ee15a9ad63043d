-- Who serves the portal again reads its fields as if for the first time.
UPDATE dbo.leadsync_owners SET fields_read_at = NULL WHERE member_id = @member_id AND fields_read_at IS NOT NULL
