-- The rights that leadsync needs in SQL Server, and no more. Run this script in the call centre's database as a member of db_owner, after
-- `leadsync migrate` created the tables. Run it again after each update; repeating it does no harm.
-- With LEADSYNC_DATABASE_SCHEMA, replace dbo by that schema.
--
--   leadsync_service   for the service: it may not change the structure of tables, and sees nothing else in the database
--   leadsync_reports   for reports and the call centre: they see neither tokens nor webhooks
--
-- Then add your logins to the roles:
--
--   CREATE LOGIN leadsync WITH PASSWORD = N'...';
--   CREATE USER leadsync FOR LOGIN leadsync;
--   ALTER ROLE leadsync_service ADD MEMBER leadsync;
--
-- If another program holds a lock that leadsync needs, leadsync can say which one only with one more right, which this script does not
-- give because it concerns the whole server. In master (on Azure SQL Database: VIEW DATABASE STATE, in the database):
--
--   GRANT VIEW SERVER STATE TO leadsync;
--
-- The views and the function belong to the tables' owner, dbo, so SELECT on them is enough (ownership chaining). The function is an
-- inline table-valued one: it takes SELECT, not EXECUTE.

IF OBJECT_ID(N'dbo.leadsync_settings', N'U') IS NULL
RAISERROR (N'The tables of leadsync are not in this database: choose the right one, or run leadsync migrate first', 16, 1);
GO

IF DATABASE_PRINCIPAL_ID(N'leadsync_service') IS NULL
CREATE ROLE leadsync_service;
GO

IF DATABASE_PRINCIPAL_ID(N'leadsync_reports') IS NULL
CREATE ROLE leadsync_reports;
GO

GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.bitrix_import_lead_error TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.bitrix_lead_contacts TO leadsync_service;
GRANT SELECT, INSERT, UPDATE ON dbo.bitrix_lead_runtime TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.bitrix_lead_solution TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.bitrix_leads TO leadsync_service;
GRANT SELECT ON dbo.bitrix_mirror_status TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.bitrix_oauth TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_allowances TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_callbacks TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_changes TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_duplicate_leads TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_failures TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_field_types TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_findings TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_incidents TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_lead_fields TO leadsync_service;
GRANT SELECT ON dbo.leadsync_migrations TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_outbox TO leadsync_service;
GRANT SELECT, INSERT, UPDATE ON dbo.leadsync_owners TO leadsync_service;
GRANT SELECT, INSERT, DELETE ON dbo.leadsync_phones TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_portals TO leadsync_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON dbo.leadsync_runs TO leadsync_service;
GRANT SELECT, INSERT, UPDATE ON dbo.leadsync_settings TO leadsync_service;
GO

GRANT SELECT ON dbo.bitrix_leads TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_lead_contacts TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_lead_solution TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_import_lead_error TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_lead_runtime TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_lead_by_phone TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_open_leads TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_phone_leads TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_mirror_status TO leadsync_reports;
GRANT SELECT ON dbo.bitrix_lead_changes TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_changes TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_lead_fields TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_field_types TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_findings TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_phones TO leadsync_reports;
GRANT SELECT ON dbo.leadsync_runs TO leadsync_reports;
GO
