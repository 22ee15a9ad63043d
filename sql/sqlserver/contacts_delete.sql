-- LOOP, here and in every statement that joins a list or a temporary table to another: it looks up row by row, by index. A scan
-- would wait for all locks of other transactions, and lock the whole table.
DELETE c
FROM OPENJSON(@contacts_gone) AS j
INNER LOOP JOIN dbo.bitrix_lead_contacts AS c ON c.Id = CONVERT(int, j.value)
