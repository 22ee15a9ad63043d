-- One lead, even a tombstone.
SELECT
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    TRIM(COALESCE(l.sql_LAST_NAME || ' ', '') || COALESCE(l.sql_NAME || ' ', '') || COALESCE(l.sql_SECOND_NAME, '')) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN l.sql_STATUS_SEMANTIC_ID IN ('S', 'F') THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    'https://' || o.domain || '/crm/lead/details/' || l.sql_ID || '/' AS card_url,
    l.revision,
    l.deleted_at,
    l.raw_json
FROM bitrix_leads AS l
LEFT JOIN leadsync_portals AS o ON o.member_id = l.member_id
WHERE l.member_id = @member_id AND l.sql_ID = @lead_id
