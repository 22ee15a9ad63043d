INSERT INTO dbo.leadsync_outbox (member_id, lead_id, revision, body, created_at)
SELECT s.member_id, s.lead_id, s.revision, s.body, CONVERT(datetimeoffset(3), s.created_at, 127)
FROM #stage_outbox AS s
