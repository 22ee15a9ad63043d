-- Locks rows by writing them as they are.
UPDATE bitrix_leads SET revision = revision
WHERE member_id = @member_id
    AND sql_ID IN (SELECT j.value FROM json_each(@ids) AS j)
