INSERT INTO leadsync_callbacks (member_id, lead_id, event, received_at)
SELECT @member_id, j.value ->> 'lead_id', j.value ->> 'event', j.value ->> 'received_at'
FROM json_each(@rows) AS j
WHERE NOT EXISTS (
    SELECT 1 FROM leadsync_callbacks AS c WHERE c.member_id = @member_id AND c.lead_id = j.value ->> 'lead_id'
)
