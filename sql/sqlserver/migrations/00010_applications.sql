-- Each portal's own application, how it was accepted, and the plan of its request budget.
-- +goose Up

-- client_secret is encrypted like tokens; NULL or '' means the application of the settings.
IF COL_LENGTH(N'dbo.leadsync_portals', N'client_id') IS NULL
ALTER TABLE dbo.leadsync_portals ADD client_id nvarchar(255) NULL;

IF COL_LENGTH(N'dbo.leadsync_portals', N'client_secret') IS NULL
ALTER TABLE dbo.leadsync_portals ADD client_secret nvarchar(2000) NULL;

-- admission: 'first' for the portal that was accepted because there was no other, otherwise the member_id.
IF COL_LENGTH(N'dbo.leadsync_portals', N'admission') IS NULL
ALTER TABLE dbo.leadsync_portals ADD admission nvarchar(64) NULL;

UPDATE dbo.leadsync_portals SET admission = member_id WHERE admission IS NULL;

CREATE UNIQUE INDEX ux_leadsync_portals_admission ON dbo.leadsync_portals (admission);

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_plan') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_plan nvarchar(32) NULL;
