-- One lead, even a tombstone.
SELECT
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    LTRIM(RTRIM(COALESCE(l.sql_LAST_NAME + N' ', N'') + COALESCE(l.sql_NAME + N' ', N'') + COALESCE(l.sql_SECOND_NAME, N''))) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN l.sql_STATUS_SEMANTIC_ID IN (N'S', N'F') THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    N'https://' + o.domain + N'/crm/lead/details/' + CONVERT(nvarchar(10), l.sql_ID) + N'/' AS card_url,
    l.revision,
    l.deleted_at,
    l.raw_json
FROM dbo.bitrix_leads AS l
LEFT JOIN dbo.leadsync_portals AS o ON o.member_id = l.member_id
WHERE l.member_id = @member_id AND l.sql_ID = @lead_id
