SELECT 'the file' AS "table", 0 AS "rows", p.page_count * s.page_size AS bytes
FROM pragma_page_count() AS p, pragma_page_size() AS s
