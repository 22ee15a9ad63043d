-- The equivalent of bitrix_lead_by_phone on SQL Server, sorted by its rank.
SELECT
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    TRIM(COALESCE(l.sql_LAST_NAME || ' ', '') || COALESCE(l.sql_NAME || ' ', '') || COALESCE(l.sql_SECOND_NAME, '')) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN p.closed = 1 THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    'https://' || o.domain || '/crm/lead/details/' || l.sql_ID || '/' AS card_url
FROM leadsync_phones AS p
INNER JOIN bitrix_leads AS l ON l.member_id = p.member_id AND l.sql_ID = p.lead_id
LEFT JOIN leadsync_portals AS o ON o.member_id = p.member_id
WHERE p.digits10 = @digits10 AND p.repeated = 0 AND l.deleted_at IS NULL
ORDER BY p.closed, p.created_at DESC, p.lead_id DESC, p.member_id
LIMIT @limit
