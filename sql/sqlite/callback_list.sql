SELECT c.lead_id, c.event, c.received_at
FROM leadsync_callbacks AS c
WHERE c.member_id = @member_id AND c.lead_id IN (SELECT j.value FROM json_each(@ids) AS j)
ORDER BY c.lead_id
