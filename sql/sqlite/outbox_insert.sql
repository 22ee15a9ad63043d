-- The announcement of a lead that is written is staged with the lead, up to the card: that one is not sent twice (repo/store.go).
INSERT INTO leadsync_outbox (member_id, lead_id, revision, body, created_at)
SELECT s.member_id, s.sql_ID, s.revision, s.body_head || COALESCE(s.raw_json, '') || '}', s.announced_at
FROM stage_leads AS s
WHERE s.body_head IS NOT NULL
UNION ALL
SELECT o.member_id, o.lead_id, o.revision, o.body, o.created_at
FROM stage_outbox AS o
