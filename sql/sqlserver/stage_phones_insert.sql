INSERT INTO #stage_phones (digits10, member_id, lead_id, contact_id, position, e164, extension, repeated, closed, created_at)
VALUES (@digits10, @member_id, @lead_id, @contact_id, @position, @e164, @extension, @repeated, @closed, @created_at)
