-- One search of the index: the caller's number has been read, so its key is known.
SELECT TOP (@limit)
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    LTRIM(RTRIM(COALESCE(l.sql_LAST_NAME + N' ', N'') + COALESCE(l.sql_NAME + N' ', N'') + COALESCE(l.sql_SECOND_NAME, N''))) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN p.closed = 1 THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    N'https://' + o.domain + N'/crm/lead/details/' + CONVERT(nvarchar(10), l.sql_ID) + N'/' AS card_url
FROM dbo.leadsync_phones AS p
INNER JOIN dbo.bitrix_leads AS l ON l.member_id = p.member_id AND l.sql_ID = p.lead_id
LEFT JOIN dbo.leadsync_portals AS o ON o.member_id = p.member_id
WHERE p.digits10 = @digits10 AND p.repeated = 0 AND l.deleted_at IS NULL
ORDER BY p.closed, p.created_at DESC, p.lead_id DESC, p.member_id
