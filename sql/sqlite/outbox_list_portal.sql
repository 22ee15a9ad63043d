SELECT o.id, o.body, o.card_in_row, l.raw_json, l.read_at
FROM leadsync_outbox AS o
LEFT JOIN bitrix_leads AS l ON o.card_in_row = 1 AND l.member_id = o.member_id AND l.sql_ID = o.lead_id
WHERE o.member_id = @member_id
ORDER BY o.id
LIMIT @limit
