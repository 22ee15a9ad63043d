-- What passes need beyond 00001: the breaker, causes of findings, watermarks.
-- +goose Up

IF COL_LENGTH(N'dbo.leadsync_runs', N'max_deletes') IS NULL
ALTER TABLE dbo.leadsync_runs ADD max_deletes bigint NOT NULL CONSTRAINT df_leadsync_runs_max_deletes DEFAULT 0;

IF COL_LENGTH(N'dbo.leadsync_runs', N'since_at') IS NULL
ALTER TABLE dbo.leadsync_runs ADD since_at nvarchar(32) NULL;

IF COL_LENGTH(N'dbo.leadsync_runs', N'portal_at') IS NULL
ALTER TABLE dbo.leadsync_runs ADD portal_at nvarchar(32) NULL;

IF COL_LENGTH(N'dbo.leadsync_runs', N'refused') IS NULL
ALTER TABLE dbo.leadsync_runs ADD refused bigint NOT NULL CONSTRAINT df_leadsync_runs_refused DEFAULT 0;

IF COL_LENGTH(N'dbo.leadsync_findings', N'cause') IS NULL
ALTER TABLE dbo.leadsync_findings ADD cause nvarchar(1000) NULL;

IF COL_LENGTH(N'dbo.leadsync_findings', N'seconds_behind') IS NULL
ALTER TABLE dbo.leadsync_findings ADD seconds_behind bigint NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'beat_at') IS NULL
ALTER TABLE dbo.leadsync_owners ADD beat_at datetimeoffset(3) NULL;

CREATE INDEX ix_bitrix_leads_deleted_at ON dbo.bitrix_leads (member_id, deleted_at);

-- leadsync_allowances: how many deletions an operator allows, and until when.
IF OBJECT_ID(N'dbo.leadsync_allowances', N'U') IS NULL
CREATE TABLE dbo.leadsync_allowances (
    member_id nvarchar(64) NOT NULL,
    max_deletes bigint NOT NULL,
    until_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_allowances PRIMARY KEY (member_id)
);

-- leadsync_incidents: when something was wrong that explains findings; member_id '' is every portal.
IF OBJECT_ID(N'dbo.leadsync_incidents', N'U') IS NULL
CREATE TABLE dbo.leadsync_incidents (
    id bigint IDENTITY(1,1) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    kind nvarchar(32) NOT NULL,
    from_at datetimeoffset(3) NOT NULL,
    to_at datetimeoffset(3) NOT NULL,
    detail nvarchar(1000) NOT NULL,
    CONSTRAINT pk_leadsync_incidents PRIMARY KEY (id)
);

CREATE INDEX ix_leadsync_incidents_member_id_to_at ON dbo.leadsync_incidents (member_id, to_at);
