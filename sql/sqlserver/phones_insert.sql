INSERT INTO dbo.leadsync_phones (digits10, member_id, lead_id, contact_id, position, e164, extension, repeated)
SELECT s.digits10, s.member_id, s.lead_id, s.contact_id, s.position, s.e164, s.extension, s.repeated
FROM #stage_phones AS s
