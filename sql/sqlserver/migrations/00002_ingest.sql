-- +goose Up

-- leadsync_callbacks: when the last callback of a lead came; reconciliation explains differences by it.
IF OBJECT_ID(N'dbo.leadsync_callbacks', N'U') IS NULL
CREATE TABLE dbo.leadsync_callbacks (
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    event nvarchar(64) NOT NULL,
    received_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_callbacks PRIMARY KEY (member_id, lead_id)
);

-- leadsync_failures: leads that could not be written, until one of them can or is given up.
IF OBJECT_ID(N'dbo.leadsync_failures', N'U') IS NULL
CREATE TABLE dbo.leadsync_failures (
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    event nvarchar(64) NOT NULL,
    reason nvarchar(2000) NOT NULL,
    attempts int NOT NULL,
    first_at datetimeoffset(3) NOT NULL,
    last_at datetimeoffset(3) NOT NULL,
    next_attempt_at datetimeoffset(3) NULL,
    CONSTRAINT pk_leadsync_failures PRIMARY KEY (member_id, lead_id)
);
