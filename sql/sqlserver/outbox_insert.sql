INSERT INTO dbo.leadsync_outbox (member_id, lead_id, revision, body, created_at)
VALUES (@member_id, @lead_id, @revision, @body, CONVERT(datetimeoffset(3), @created_at, 127))
