-- The rows that have a newer row of the same lead. The newest row is the one modified last; of several such rows, the one inserted last.
SELECT r.Id
FROM (
    SELECT d.Id, ROW_NUMBER() OVER (
        PARTITION BY d.sql_ID
        ORDER BY CASE WHEN d.sql_DATE_MODIFY IS NULL THEN 1 ELSE 0 END, d.sql_DATE_MODIFY DESC, d.Id DESC
    ) AS place
    FROM dbo.bitrix_leads AS d
) AS r
WHERE r.place > 1
ORDER BY r.Id
