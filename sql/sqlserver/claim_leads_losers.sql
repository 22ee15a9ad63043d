-- Of two rows of one lead the newest read stays; of two that were never read, the one modified last, and of these the one inserted last.
SELECT
    CASE
        WHEN p.read_ticket > l.read_ticket THEN l.Id
        WHEN p.read_ticket < l.read_ticket THEN p.Id
        WHEN l.sql_DATE_MODIFY IS NULL AND p.sql_DATE_MODIFY IS NOT NULL THEN l.Id
        WHEN p.sql_DATE_MODIFY IS NULL AND l.sql_DATE_MODIFY IS NOT NULL THEN p.Id
        WHEN l.sql_DATE_MODIFY < p.sql_DATE_MODIFY THEN l.Id
        WHEN p.sql_DATE_MODIFY < l.sql_DATE_MODIFY THEN p.Id
        WHEN l.Id < p.Id THEN l.Id
        ELSE p.Id
    END
FROM dbo.bitrix_leads AS l
INNER LOOP JOIN dbo.bitrix_leads AS p ON p.member_id = @member_id AND p.sql_ID = l.sql_ID
WHERE l.member_id = N'' AND l.Id > @after AND l.Id <= @upto
