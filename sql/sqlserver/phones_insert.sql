INSERT INTO dbo.leadsync_phones (
    digits10, repeated, closed, created_at, lead_id, member_id, position, contact_id, e164, extension
)
SELECT
    s.digits10, s.repeated, CASE WHEN l.sql_STATUS_SEMANTIC_ID IN (N'S', N'F') THEN 1 ELSE 0 END, l.date_create_at,
    s.lead_id, s.member_id, s.position, s.contact_id, s.e164, s.extension
FROM #stage_phones AS s
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.member_id = s.member_id AND l.sql_ID = s.lead_id
