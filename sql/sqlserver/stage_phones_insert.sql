INSERT INTO #stage_phones (digits10, member_id, lead_id, contact_id, position, e164, extension, repeated)
VALUES (@digits10, @member_id, @lead_id, @contact_id, @position, @e164, @extension, @repeated)
