-- Rows of the stage replace cards that waiting announcements are still to take from the mirror.
UPDATE leadsync_outbox AS o SET
    body = substr(o.body, 1, length(o.body) - 1) || ',"lead":' || l.raw_json || '}',
    card_in_row = 0
FROM bitrix_leads AS l
WHERE l.member_id = o.member_id AND l.sql_ID = o.lead_id AND json_valid(l.raw_json)
    AND o.id IN (
        SELECT p.id
        FROM stage_leads AS s
        CROSS JOIN leadsync_outbox AS p ON p.member_id = s.member_id AND p.lead_id = s.sql_ID AND p.card_in_row = 1
        WHERE s.was_ticket IS NOT NULL
    )
