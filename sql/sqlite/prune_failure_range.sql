-- The last of the next rows, and how many of them are old.
SELECT COALESCE(MAX(n.Id), 0), COALESCE(SUM(CASE WHEN n.sql_date_error < @before THEN 1 ELSE 0 END), 0)
FROM (
    SELECT e.Id, e.sql_date_error
    FROM bitrix_import_lead_error AS e
    WHERE e.Id > @after
    ORDER BY e.Id
    LIMIT @limit
) AS n
