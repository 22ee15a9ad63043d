SELECT t.name AS "table", c.name AS "column", LOWER(c.type) AS type, -1 AS length, CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN 0 ELSE 1 END AS nullable,
    CASE WHEN c.pk > 0 THEN 1 ELSE 0 END AS "identity", CASE WHEN c.hidden > 1 THEN 1 ELSE 0 END AS computed, '' AS collation,
    CASE WHEN c.dflt_value IS NULL THEN 0 ELSE 1 END AS defaulted
FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
WHERE t.type = 'table' AND t.name IN ('bitrix_leads', 'bitrix_lead_contacts', 'bitrix_lead_solution', 'bitrix_import_lead_error', 'bitrix_lead_runtime', 'bitrix_oauth')
