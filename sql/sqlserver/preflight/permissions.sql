SELECT N'CREATE TABLE in the database' AS [right], HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE') AS granted
UNION ALL
SELECT N'CREATE VIEW in the database', HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE VIEW')
UNION ALL
SELECT N'CREATE FUNCTION in the database', HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE FUNCTION')
UNION ALL
SELECT N'ALTER on the schema of the tables', HAS_PERMS_BY_NAME(N'dbo', N'SCHEMA', N'ALTER')
UNION ALL
SELECT N'ALTER on ' + t.name, HAS_PERMS_BY_NAME(N'dbo.' + t.name, N'OBJECT', N'ALTER')
FROM sys.tables AS t
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
UNION ALL
SELECT N'UPDATE on ' + t.name, HAS_PERMS_BY_NAME(N'dbo.' + t.name, N'OBJECT', N'UPDATE')
FROM sys.tables AS t
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
