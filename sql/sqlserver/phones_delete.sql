-- LOOP, here and in every statement that joins a list or a temporary table to another: it looks up row by row, by index. A scan
-- would wait for all locks of other transactions, and lock the whole table.
DELETE p
FROM OPENJSON(@phones_gone) AS j
INNER LOOP JOIN dbo.leadsync_phones AS p ON p.id = CONVERT(bigint, j.value)
