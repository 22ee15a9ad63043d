-- The seed's six tables, with its names and types (ntext has become nvarchar(max)), and ours. Times of the seed
-- are datetime: the portal's wall clock, offset dropped; exact instants stand beside them, in columns of ours.
-- A table that is there already is left as it is.
-- +goose Up

-- bitrix_leads: the leads, as the seed keeps them; from member_id on the columns are ours.
IF OBJECT_ID(N'dbo.bitrix_leads', N'U') IS NULL
CREATE TABLE dbo.bitrix_leads (
    Id int IDENTITY(1,1) NOT NULL,
    sql_ADDRESS nvarchar(3000) NULL,
    sql_ADDRESS_2 nvarchar(3000) NULL,
    sql_ADDRESS_CITY nvarchar(3000) NULL,
    sql_ADDRESS_COUNTRY nvarchar(3000) NULL,
    sql_ADDRESS_COUNTRY_CODE nvarchar(3000) NULL,
    sql_ADDRESS_POSTAL_CODE nvarchar(3000) NULL,
    sql_ADDRESS_PROVINCE nvarchar(3000) NULL,
    sql_ADDRESS_REGION nvarchar(3000) NULL,
    sql_ASSIGNED_BY_ID nvarchar(3000) NULL,
    sql_BIRTHDATE datetime NULL,
    sql_COMMENTS nvarchar(max) NULL,
    sql_COMPANY_ID nvarchar(3000) NULL,
    sql_COMPANY_TITLE nvarchar(4000) NULL,
    sql_CONTACT_ID nvarchar(3000) NULL,
    sql_CREATED_BY_ID nvarchar(3000) NULL,
    sql_CURRENCY_ID nvarchar(3000) NULL,
    sql_DATE_CLOSED datetime NULL,
    sql_DATE_CREATE datetime NULL,
    sql_DATE_MODIFY datetime NULL,
    sql_ID int NOT NULL,
    sql_LAST_NAME nvarchar(3000) NULL,
    sql_MODIFY_BY_ID nvarchar(3000) NULL,
    sql_NAME nvarchar(3000) NULL,
    sql_OPENED nvarchar(3000) NULL,
    sql_OPPORTUNITY nvarchar(3000) NULL,
    sql_ORIGIN_ID nvarchar(3000) NULL,
    sql_ORIGINATOR_ID nvarchar(3000) NULL,
    sql_POST nvarchar(3000) NULL,
    sql_SECOND_NAME nvarchar(3000) NULL,
    sql_SOURCE_DESCRIPTION nvarchar(3000) NULL,
    sql_SOURCE_ID nvarchar(3000) NULL,
    sql_STATUS_DESCRIPTION nvarchar(3000) NULL,
    sql_STATUS_ID nvarchar(3000) NULL,
    sql_TITLE nvarchar(4000) NULL,
    sql_HONORIFIC nvarchar(3000) NULL,
    sql_IS_RETURN_CUSTOMER nvarchar(3000) NULL,
    sql_IS_MANUAL_OPPORTUNITY nvarchar(3000) NULL,
    sql_HAS_PHONE nvarchar(3000) NULL,
    sql_HAS_EMAIL nvarchar(3000) NULL,
    sql_HAS_IMOL nvarchar(3000) NULL,
    sql_STATUS_SEMANTIC_ID nvarchar(3000) NULL,
    sql_MOVED_BY_ID nvarchar(3000) NULL,
    sql_MOVED_TIME datetime NULL,
    sql_ADDRESS_LOC_ADDR_ID nvarchar(3000) NULL,
    sql_UTM_SOURCE nvarchar(3000) NULL,
    sql_UTM_MEDIUM nvarchar(3000) NULL,
    sql_UTM_CAMPAIGN nvarchar(3000) NULL,
    sql_UTM_CONTENT nvarchar(3000) NULL,
    sql_UTM_TERM nvarchar(3000) NULL,
    sql_LAST_ACTIVITY_BY nvarchar(3000) NULL,
    sql_LAST_ACTIVITY_TIME datetime NULL,
    member_id nvarchar(64) NOT NULL,
    read_at datetimeoffset(3) NULL,
    read_ticket bigint NOT NULL,
    revision bigint NOT NULL,
    row_hash nvarchar(80) NULL,
    deleted_at datetimeoffset(3) NULL,
    absent_since datetimeoffset(3) NULL,
    raw_json nvarchar(max) NULL,
    date_create_at datetimeoffset(0) NULL,
    date_modify_at datetimeoffset(0) NULL,
    CONSTRAINT pk_bitrix_leads PRIMARY KEY (Id),
    CONSTRAINT uq_bitrix_leads_member_id_sql_id UNIQUE (member_id, sql_ID)
);

CREATE INDEX ix_bitrix_leads_absent_since ON dbo.bitrix_leads (member_id, absent_since);

-- bitrix_lead_contacts: phones, addresses and the like of the leads.
IF OBJECT_ID(N'dbo.bitrix_lead_contacts', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_contacts (
    Id int IDENTITY(1,1) NOT NULL,
    sql_LEAD_ID int NULL,
    sql_CONTACT_ID nvarchar(2000) NULL,
    sql_VALUE_TYPE nvarchar(2000) NULL,
    sql_VALUE nvarchar(2000) NULL,
    sql_TYPE_ID nvarchar(2000) NULL,
    member_id nvarchar(64) NOT NULL,
    CONSTRAINT pk_bitrix_lead_contacts PRIMARY KEY (Id)
);

CREATE INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id ON dbo.bitrix_lead_contacts (member_id, sql_LEAD_ID);

-- bitrix_lead_solution: one custom field of the leads.
IF OBJECT_ID(N'dbo.bitrix_lead_solution', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_solution (
    Id int IDENTITY(1,1) NOT NULL,
    sql_LEAD_ID int NULL,
    sql_solution nvarchar(2000) NULL,
    member_id nvarchar(64) NOT NULL,
    CONSTRAINT pk_bitrix_lead_solution PRIMARY KEY (Id)
);

CREATE INDEX ix_bitrix_lead_solution_member_id_sql_lead_id ON dbo.bitrix_lead_solution (member_id, sql_LEAD_ID);

-- bitrix_import_lead_error: leads that could not be written, with their card.
IF OBJECT_ID(N'dbo.bitrix_import_lead_error', N'U') IS NULL
CREATE TABLE dbo.bitrix_import_lead_error (
    Id int IDENTITY(1,1) NOT NULL,
    sql_ID nvarchar(2000) NULL,
    sql_error nvarchar(2000) NULL,
    sql_full_lead_info nvarchar(max) NULL,
    sql_date_error datetime NULL,
    member_id nvarchar(64) NULL,
    CONSTRAINT pk_bitrix_import_lead_error PRIMARY KEY (Id)
);

-- bitrix_lead_runtime: when leads were listed and read last; row 1.
IF OBJECT_ID(N'dbo.bitrix_lead_runtime', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_runtime (
    Id int IDENTITY(1,1) NOT NULL,
    lead_get_by_id_dt datetime NULL,
    lead_list_dt datetime NULL,
    CONSTRAINT pk_bitrix_lead_runtime PRIMARY KEY (Id)
);

-- bitrix_oauth: tokens, one row a portal.
IF OBJECT_ID(N'dbo.bitrix_oauth', N'U') IS NULL
CREATE TABLE dbo.bitrix_oauth (
    Id int IDENTITY(1,1) NOT NULL,
    access_token nvarchar(2000) NULL,
    expires_in nvarchar(2000) NULL,
    scope nvarchar(2000) NULL,
    user_id nvarchar(2000) NULL,
    refresh_token nvarchar(2000) NULL,
    domain nvarchar(2000) NULL,
    member_id nvarchar(2000) NULL,
    redirect_uri nvarchar(2000) NULL,
    client_id nvarchar(2000) NULL,
    client_secret nvarchar(2000) NULL,
    dateexec datetime NULL,
    code nvarchar(2000) NULL,
    refresh_token_hash nvarchar(64) NULL,
    expires_at datetimeoffset(3) NULL,
    CONSTRAINT pk_bitrix_oauth PRIMARY KEY (Id)
);

-- leadsync_portals: the portals.
IF OBJECT_ID(N'dbo.leadsync_portals', N'U') IS NULL
CREATE TABLE dbo.leadsync_portals (
    member_id nvarchar(64) NOT NULL,
    domain nvarchar(255) NOT NULL,
    state nvarchar(32) NOT NULL,
    client_endpoint nvarchar(2000) NOT NULL,
    server_endpoint nvarchar(2000) NOT NULL,
    webhook_url nvarchar(2000) NOT NULL,
    token_hash nvarchar(64) NOT NULL,
    user_id bigint NOT NULL,
    updated_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_portals PRIMARY KEY (member_id)
);

-- leadsync_owners: whose tickets count: each change of a portal's owner raises its epoch.
IF OBJECT_ID(N'dbo.leadsync_owners', N'U') IS NULL
CREATE TABLE dbo.leadsync_owners (
    member_id nvarchar(64) NOT NULL,
    epoch bigint NOT NULL,
    owner nvarchar(255) NOT NULL,
    taken_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_owners PRIMARY KEY (member_id)
);

-- leadsync_outbox: changes to be announced; written with the row, deleted when announced.
IF OBJECT_ID(N'dbo.leadsync_outbox', N'U') IS NULL
CREATE TABLE dbo.leadsync_outbox (
    id bigint IDENTITY(1,1) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    revision bigint NOT NULL,
    body nvarchar(max) NOT NULL,
    created_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_outbox PRIMARY KEY (id)
);

-- leadsync_runs: passes over a portal, newest last.
IF OBJECT_ID(N'dbo.leadsync_runs', N'U') IS NULL
CREATE TABLE dbo.leadsync_runs (
    seq bigint IDENTITY(1,1) NOT NULL,
    id nvarchar(36) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    mode nvarchar(32) NOT NULL,
    state nvarchar(32) NOT NULL,
    dry_run bit NOT NULL,
    requested_at datetimeoffset(3) NOT NULL,
    started_at datetimeoffset(3) NULL,
    finished_at datetimeoffset(3) NULL,
    checkpoint_id bigint NOT NULL,
    error nvarchar(max) NULL,
    claimed_epoch bigint NOT NULL,
    scanned bigint NOT NULL,
    unchanged bigint NOT NULL,
    missed bigint NOT NULL,
    stale bigint NOT NULL,
    phantom bigint NOT NULL,
    unreadable bigint NOT NULL,
    rows_inserted bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_deleted bigint NOT NULL,
    requests bigint NOT NULL,
    CONSTRAINT pk_leadsync_runs PRIMARY KEY (seq),
    CONSTRAINT uq_leadsync_runs_id UNIQUE (id)
);

CREATE UNIQUE INDEX uq_leadsync_runs_unfinished ON dbo.leadsync_runs (member_id, mode, dry_run) WHERE state IN ('requested', 'running');

-- leadsync_findings: differences that runs found.
IF OBJECT_ID(N'dbo.leadsync_findings', N'U') IS NULL
CREATE TABLE dbo.leadsync_findings (
    id bigint IDENTITY(1,1) NOT NULL,
    run_id nvarchar(36) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    kind nvarchar(32) NOT NULL,
    fields nvarchar(max) NOT NULL,
    found_at datetimeoffset(3) NOT NULL,
    repaired nvarchar(32) NOT NULL,
    CONSTRAINT pk_leadsync_findings PRIMARY KEY (id)
);

CREATE INDEX ix_leadsync_findings_run_id ON dbo.leadsync_findings (run_id);

IF NOT EXISTS (SELECT 1 FROM dbo.bitrix_lead_runtime) INSERT INTO dbo.bitrix_lead_runtime DEFAULT VALUES;
