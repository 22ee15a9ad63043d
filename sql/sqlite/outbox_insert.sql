-- The announcement of a lead that is written is staged with the lead, without its card (repo/store.go). A new row keeps the card for
-- it; elsewhere an announcement of an earlier card may wait, so each has its own.
INSERT OR FAIL INTO leadsync_outbox (member_id, lead_id, revision, body, card_in_row, created_at)
SELECT
    s.member_id, s.sql_ID, s.revision,
    CASE WHEN s.was_ticket IS NULL THEN s.body ELSE substr(s.body, 1, length(s.body) - 1) || ',"lead":' || s.raw_json || '}' END,
    s.was_ticket IS NULL, s.announced_at
FROM stage_leads AS s
WHERE s.body IS NOT NULL
UNION ALL
SELECT o.member_id, o.lead_id, o.revision, o.body, 0, o.created_at
FROM stage_outbox AS o
