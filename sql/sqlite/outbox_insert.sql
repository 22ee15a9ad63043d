INSERT INTO leadsync_outbox (member_id, lead_id, revision, body, created_at)
SELECT s.member_id, s.lead_id, s.revision, s.body, s.created_at
FROM stage_outbox AS s
