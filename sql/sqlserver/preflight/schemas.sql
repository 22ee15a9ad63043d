-- Tables of the same names in other schemas, whether there is one in the schema that leadsync uses, and whether it is another leadsync's.
SELECT s.name AS [schema], t.name AS [table], (SELECT COUNT(*) FROM sys.tables AS h WHERE h.schema_id = SCHEMA_ID(N'dbo') AND h.name = t.name) AS here,
    (SELECT COUNT(*) FROM sys.columns AS c WHERE c.object_id = t.object_id AND c.name = N'read_ticket') AS ours
FROM sys.tables AS t
INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE s.name <> N'dbo' AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
ORDER BY s.name, t.name
