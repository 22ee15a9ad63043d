-- The last of the next rows, and how many of them are old.
SELECT COALESCE(MAX(n.Id), 0), COALESCE(SUM(CASE WHEN n.sql_date_error < CONVERT(datetime2(0), @before, 126) THEN 1 ELSE 0 END), 0)
FROM (
    SELECT TOP (@limit) e.Id, e.sql_date_error
    FROM dbo.bitrix_import_lead_error AS e
    WHERE e.Id > @after
    ORDER BY e.Id
) AS n
