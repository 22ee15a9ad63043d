-- IN: otherwise SQLite reads every callback of the portal.
UPDATE leadsync_callbacks SET event = j.event, received_at = j.received_at
FROM (
    SELECT value ->> 'lead_id' AS lead_id, value ->> 'event' AS event, value ->> 'received_at' AS received_at
    FROM json_each(@rows)
) AS j
WHERE leadsync_callbacks.member_id = @member_id AND leadsync_callbacks.lead_id = j.lead_id
    AND leadsync_callbacks.lead_id IN (SELECT value ->> 'lead_id' FROM json_each(@rows))
    AND leadsync_callbacks.received_at < j.received_at
