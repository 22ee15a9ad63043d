-- Rows of the stage replace cards that waiting announcements are still to take from the mirror. A scan of the outbox, which is mostly
-- short, would wait for what other portals write.
UPDATE o SET
    body = LEFT(o.body, LEN(o.body) - 1) + N',"lead":' + l.raw_json + N'}',
    card_in_row = 0
FROM #stage_leads AS s
INNER LOOP JOIN dbo.leadsync_outbox AS o WITH (FORCESEEK (ix_leadsync_outbox_card_in_row (member_id, lead_id)))
    ON o.member_id = s.member_id AND o.lead_id = s.sql_ID AND o.card_in_row = 1
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.member_id = o.member_id AND l.sql_ID = o.lead_id
WHERE s.was_ticket IS NOT NULL AND ISJSON(l.raw_json) = 1
