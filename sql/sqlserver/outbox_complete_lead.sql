-- outbox_complete.sql for one lead.
UPDATE o SET
    body = LEFT(o.body, LEN(o.body) - 1) + N',"lead":' + l.raw_json + N'}',
    card_in_row = 0
FROM dbo.leadsync_outbox AS o WITH (FORCESEEK (ix_leadsync_outbox_card_in_row (member_id, lead_id)))
INNER JOIN dbo.bitrix_leads AS l ON l.member_id = o.member_id AND l.sql_ID = o.lead_id
WHERE o.member_id = @member_id AND o.lead_id = @sql_ID AND o.card_in_row = 1 AND ISJSON(l.raw_json) = 1
OPTION (LOOP JOIN)
