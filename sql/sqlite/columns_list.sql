-- SQLite's columns take texts of any length.
SELECT '' AS "table", '' AS "column", 0 AS width, 1 AS nullable
WHERE 0
