-- outbox_complete.sql for one lead.
UPDATE leadsync_outbox AS o SET
    body = substr(o.body, 1, length(o.body) - 1) || ',"lead":' || l.raw_json || '}',
    card_in_row = 0
FROM bitrix_leads AS l
WHERE l.member_id = @member_id AND l.sql_ID = @sql_ID AND json_valid(l.raw_json)
    AND o.member_id = @member_id AND o.lead_id = @sql_ID AND o.card_in_row = 1
