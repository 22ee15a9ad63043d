-- The nearest leads on both sides of an id, and when the portal created them.
SELECT b.sql_ID, b.date_create_at
FROM (
    SELECT TOP (1) l.sql_ID, l.date_create_at
    FROM dbo.bitrix_leads AS l
    WHERE l.member_id = @member_id AND l.sql_ID < @lead_id
    ORDER BY l.sql_ID DESC
) AS b
UNION ALL
SELECT a.sql_ID, a.date_create_at
FROM (
    SELECT TOP (1) l.sql_ID, l.date_create_at
    FROM dbo.bitrix_leads AS l
    WHERE l.member_id = @member_id AND l.sql_ID > @lead_id
    ORDER BY l.sql_ID
) AS a
