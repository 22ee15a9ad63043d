-- What is known of a portal besides its address: whose tokens there are, what is bound, how its budget stands.
-- +goose Up

-- holder_kind: 'system' for the application's own user, '' or NULL for whoever installed.
IF COL_LENGTH(N'dbo.bitrix_oauth', N'holder_kind') IS NULL
ALTER TABLE dbo.bitrix_oauth ADD holder_kind nvarchar(16) NULL;

IF COL_LENGTH(N'dbo.bitrix_oauth', N'refresh_began_at') IS NULL
ALTER TABLE dbo.bitrix_oauth ADD refresh_began_at datetimeoffset(3) NULL;

IF COL_LENGTH(N'dbo.bitrix_oauth', N'refresh_began_by') IS NULL
ALTER TABLE dbo.bitrix_oauth ADD refresh_began_by nvarchar(255) NULL;

IF COL_LENGTH(N'dbo.leadsync_portals', N'bound_events') IS NULL
ALTER TABLE dbo.leadsync_portals ADD bound_events nvarchar(max) NULL;

IF COL_LENGTH(N'dbo.leadsync_portals', N'bound_at') IS NULL
ALTER TABLE dbo.leadsync_portals ADD bound_at datetimeoffset(3) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_at') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_at datetimeoffset(3) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_level') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_level float NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_depth') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_depth float NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_share') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_share float NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'budget_refusals') IS NULL
ALTER TABLE dbo.leadsync_owners ADD budget_refusals bigint NULL;
