-- SQLite does not say who holds the file's lock.
SELECT 0, 0, '', '', '', '', 0, 0, 0, 0 WHERE 1 = 0
