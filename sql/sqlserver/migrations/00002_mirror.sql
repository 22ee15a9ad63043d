-- leadsync's own columns, indexes and tables. It is one transaction: if it is interrupted, nothing has changed.
-- +goose Up

-- Rows that have a newer row of the same lead: leadsync migrate has moved them, but for those that came since. The newest row of a lead is
-- the one modified last; of several such rows, the one inserted last.
INSERT INTO dbo.leadsync_duplicate_leads (
    Id, sql_ADDRESS, sql_ADDRESS_2, sql_ADDRESS_CITY, sql_ADDRESS_COUNTRY, sql_ADDRESS_COUNTRY_CODE,
    sql_ADDRESS_POSTAL_CODE, sql_ADDRESS_PROVINCE, sql_ADDRESS_REGION, sql_ASSIGNED_BY_ID, sql_BIRTHDATE,
    sql_COMMENTS, sql_COMPANY_ID, sql_COMPANY_TITLE, sql_CONTACT_ID, sql_CREATED_BY_ID, sql_CURRENCY_ID,
    sql_DATE_CLOSED, sql_DATE_CREATE, sql_DATE_MODIFY, sql_ID, sql_LAST_NAME, sql_MODIFY_BY_ID, sql_NAME, sql_OPENED,
    sql_OPPORTUNITY, sql_ORIGIN_ID, sql_ORIGINATOR_ID, sql_POST, sql_SECOND_NAME, sql_SOURCE_DESCRIPTION,
    sql_SOURCE_ID, sql_STATUS_DESCRIPTION, sql_STATUS_ID, sql_TITLE, member_id
)
SELECT
    l.Id, l.sql_ADDRESS, l.sql_ADDRESS_2, l.sql_ADDRESS_CITY, l.sql_ADDRESS_COUNTRY, l.sql_ADDRESS_COUNTRY_CODE,
    l.sql_ADDRESS_POSTAL_CODE, l.sql_ADDRESS_PROVINCE, l.sql_ADDRESS_REGION, l.sql_ASSIGNED_BY_ID, l.sql_BIRTHDATE,
    l.sql_COMMENTS, l.sql_COMPANY_ID, l.sql_COMPANY_TITLE, l.sql_CONTACT_ID, l.sql_CREATED_BY_ID, l.sql_CURRENCY_ID,
    l.sql_DATE_CLOSED, l.sql_DATE_CREATE, l.sql_DATE_MODIFY, l.sql_ID, l.sql_LAST_NAME, l.sql_MODIFY_BY_ID,
    l.sql_NAME, l.sql_OPENED, l.sql_OPPORTUNITY, l.sql_ORIGIN_ID, l.sql_ORIGINATOR_ID, l.sql_POST, l.sql_SECOND_NAME,
    l.sql_SOURCE_DESCRIPTION, l.sql_SOURCE_ID, l.sql_STATUS_DESCRIPTION, l.sql_STATUS_ID, l.sql_TITLE, ''
FROM dbo.bitrix_leads AS l
WHERE l.Id IN (
    SELECT r.Id
    FROM (
        SELECT d.Id, ROW_NUMBER() OVER (
            PARTITION BY d.sql_ID
            ORDER BY CASE WHEN d.sql_DATE_MODIFY IS NULL THEN 1 ELSE 0 END, d.sql_DATE_MODIFY DESC, d.Id DESC
        ) AS place
        FROM dbo.bitrix_leads AS d
    ) AS r
    WHERE r.place > 1
);

DELETE FROM dbo.bitrix_leads WHERE Id IN (SELECT d.Id FROM dbo.leadsync_duplicate_leads AS d);

-- Standard fields without a column in the call centre's table.
IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_HONORIFIC') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_HONORIFIC nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_IS_RETURN_CUSTOMER') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_IS_RETURN_CUSTOMER nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_IS_MANUAL_OPPORTUNITY') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_IS_MANUAL_OPPORTUNITY nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_HAS_PHONE') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_HAS_PHONE nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_HAS_EMAIL') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_HAS_EMAIL nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_HAS_IMOL') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_HAS_IMOL nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_STATUS_SEMANTIC_ID') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_STATUS_SEMANTIC_ID nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_MOVED_BY_ID') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_MOVED_BY_ID nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_MOVED_TIME') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_MOVED_TIME datetime NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_ADDRESS_LOC_ADDR_ID') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_ADDRESS_LOC_ADDR_ID nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_UTM_SOURCE') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_UTM_SOURCE nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_UTM_MEDIUM') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_UTM_MEDIUM nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_UTM_CAMPAIGN') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_UTM_CAMPAIGN nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_UTM_CONTENT') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_UTM_CONTENT nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_UTM_TERM') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_UTM_TERM nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_LAST_ACTIVITY_BY') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_LAST_ACTIVITY_BY nvarchar(3000) NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_LAST_ACTIVITY_TIME') IS NULL
ALTER TABLE dbo.bitrix_leads ADD sql_LAST_ACTIVITY_TIME datetime NULL;

-- The last read of a lead.
ALTER TABLE dbo.bitrix_leads ADD read_at datetimeoffset(3) NULL;

ALTER TABLE dbo.bitrix_leads ADD row_hash nvarchar(80) NULL;

ALTER TABLE dbo.bitrix_leads ADD deleted_at datetimeoffset(3) NULL;

ALTER TABLE dbo.bitrix_leads ADD absent_since datetimeoffset(3) NULL;

ALTER TABLE dbo.bitrix_leads ADD raw_json nvarchar(max) NULL;

ALTER TABLE dbo.bitrix_leads ADD date_create_at datetimeoffset(0) NULL;

ALTER TABLE dbo.bitrix_leads ADD date_modify_at datetimeoffset(0) NULL;

-- Rows that came while leadsync filled the others.
UPDATE dbo.bitrix_leads SET member_id = N'', read_ticket = 0, revision = 0 WHERE member_id IS NULL;

UPDATE dbo.bitrix_lead_contacts SET member_id = N'' WHERE member_id IS NULL;

UPDATE dbo.bitrix_lead_solution SET member_id = N'' WHERE member_id IS NULL;

UPDATE dbo.bitrix_import_lead_error SET member_id = N'' WHERE member_id IS NULL;

-- A former program that still inserts rows must fail, or its rows would have no portal. A check does that as well as NOT NULL, which only
-- ALTER COLUMN could add to a column that is there; not every server that speaks T-SQL can do that.
ALTER TABLE dbo.bitrix_leads ADD CONSTRAINT ck_bitrix_leads_adopted CHECK (member_id IS NOT NULL AND read_ticket IS NOT NULL AND revision IS NOT NULL);

ALTER TABLE dbo.bitrix_lead_contacts ADD CONSTRAINT ck_bitrix_lead_contacts_adopted CHECK (member_id IS NOT NULL);

ALTER TABLE dbo.bitrix_lead_solution ADD CONSTRAINT ck_bitrix_lead_solution_adopted CHECK (member_id IS NOT NULL);

ALTER TABLE dbo.bitrix_import_lead_error ADD CONSTRAINT ck_bitrix_import_lead_error_adopted CHECK (member_id IS NOT NULL);

-- holder_kind: 'system' for the application's own user, '' or NULL for the user who installed it.
ALTER TABLE dbo.bitrix_oauth ADD refresh_token_hash nvarchar(64) NULL;

ALTER TABLE dbo.bitrix_oauth ADD expires_at datetimeoffset(3) NULL;

ALTER TABLE dbo.bitrix_oauth ADD holder_kind nvarchar(16) NULL;

ALTER TABLE dbo.bitrix_oauth ADD refresh_began_at datetimeoffset(3) NULL;

ALTER TABLE dbo.bitrix_oauth ADD refresh_began_by nvarchar(255) NULL;

ALTER TABLE dbo.bitrix_leads ADD CONSTRAINT uq_bitrix_leads_member_id_sql_id UNIQUE (member_id, sql_ID);

CREATE INDEX ix_bitrix_leads_absent_since ON dbo.bitrix_leads (member_id, absent_since);

CREATE INDEX ix_bitrix_leads_deleted_at ON dbo.bitrix_leads (member_id, deleted_at);

CREATE INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id ON dbo.bitrix_lead_contacts (member_id, sql_LEAD_ID);

CREATE INDEX ix_bitrix_lead_solution_member_id_sql_lead_id ON dbo.bitrix_lead_solution (member_id, sql_LEAD_ID);

CREATE INDEX ix_bitrix_import_lead_error_member_id_lead_id ON dbo.bitrix_import_lead_error (member_id, lead_id);

-- leadsync_portals: the portals.
IF OBJECT_ID(N'dbo.leadsync_portals', N'U') IS NULL
CREATE TABLE dbo.leadsync_portals (
    member_id nvarchar(64) NOT NULL,
    domain nvarchar(255) NOT NULL,
    state nvarchar(32) NOT NULL,
    client_endpoint nvarchar(2000) NOT NULL,
    server_endpoint nvarchar(2000) NOT NULL,
    webhook_url nvarchar(2000) NOT NULL,
    token_hash nvarchar(1300) NOT NULL, -- up to 20 hashes, a space between two
    user_id bigint NOT NULL,
    updated_at datetimeoffset(3) NOT NULL,
    bound_events nvarchar(max) NULL,
    bound_at datetimeoffset(3) NULL,
    CONSTRAINT pk_leadsync_portals PRIMARY KEY (member_id)
);

-- leadsync_owners: the owner of each portal. Each change of the owner raises the epoch; only tickets of that epoch count.
IF OBJECT_ID(N'dbo.leadsync_owners', N'U') IS NULL
CREATE TABLE dbo.leadsync_owners (
    member_id nvarchar(64) NOT NULL,
    epoch bigint NOT NULL,
    owner nvarchar(255) NOT NULL,
    taken_at datetimeoffset(3) NOT NULL,
    budget_at datetimeoffset(3) NULL,
    budget_level float NULL,
    budget_depth float NULL,
    budget_share float NULL,
    budget_refusals bigint NULL,
    beat_at datetimeoffset(3) NULL,
    problem nvarchar(max) NULL,
    problem_since datetimeoffset(3) NULL,
    problem_parts nvarchar(max) NULL, -- what fails, part by part, for the next owner
    note nvarchar(max) NULL,
    fields_read_at datetimeoffset(3) NULL, -- when leadsync_field_types was written last
    CONSTRAINT pk_leadsync_owners PRIMARY KEY (member_id)
);

-- leadsync_outbox: changes to be announced; written with the row, deleted when announced. Where card_in_row is 1, body lacks the
-- card: it is the raw_json of the lead's row. A statement that writes another raw_json completes body first.
IF OBJECT_ID(N'dbo.leadsync_outbox', N'U') IS NULL
CREATE TABLE dbo.leadsync_outbox (
    id bigint IDENTITY(1,1) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    revision bigint NOT NULL,
    body nvarchar(max) NOT NULL,
    card_in_row bit NOT NULL CONSTRAINT df_leadsync_outbox_card_in_row DEFAULT 0,
    created_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_outbox PRIMARY KEY (id)
);

CREATE INDEX ix_leadsync_outbox_member_id ON dbo.leadsync_outbox (member_id, id);

CREATE INDEX ix_leadsync_outbox_card_in_row ON dbo.leadsync_outbox (member_id, lead_id, card_in_row);

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
    max_deletes bigint NOT NULL,
    since_at nvarchar(32) NULL,
    portal_at nvarchar(32) NULL,
    refused bigint NOT NULL,
    unprocessable bigint NOT NULL,
    failing bigint NOT NULL,
    CONSTRAINT pk_leadsync_runs PRIMARY KEY (seq),
    CONSTRAINT uq_leadsync_runs_id UNIQUE (id)
);

CREATE UNIQUE INDEX uq_leadsync_runs_unread ON dbo.leadsync_runs (member_id, mode, dry_run)
WHERE state IN ('requested', 'running') AND checkpoint_id = 0 AND scanned = 0;

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
    cause nvarchar(1000) NULL,
    seconds_behind bigint NULL,
    CONSTRAINT pk_leadsync_findings PRIMARY KEY (id)
);

-- A pass asks for its pending findings before each window.
CREATE INDEX ix_leadsync_findings_run_id ON dbo.leadsync_findings (run_id, repaired, lead_id);

-- leadsync_callbacks: the last callback of each lead, by which reconciliation explains differences.
IF OBJECT_ID(N'dbo.leadsync_callbacks', N'U') IS NULL
CREATE TABLE dbo.leadsync_callbacks (
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    event nvarchar(64) NOT NULL,
    received_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_callbacks PRIMARY KEY (member_id, lead_id)
);

-- leadsync_failures: leads that could not be written, until they are written or given up.
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

-- leadsync_allowances: how many deletions an operator allows, and until when.
IF OBJECT_ID(N'dbo.leadsync_allowances', N'U') IS NULL
CREATE TABLE dbo.leadsync_allowances (
    member_id nvarchar(64) NOT NULL,
    max_deletes bigint NOT NULL,
    until_at datetimeoffset(3) NOT NULL,
    CONSTRAINT pk_leadsync_allowances PRIMARY KEY (member_id)
);

-- leadsync_incidents: periods with a problem that explains findings; member_id '' means every portal.
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

-- leadsync_lead_fields: the custom fields of the leads, one row for each value, so that reports can join them. Empty values
-- have no row.
IF OBJECT_ID(N'dbo.leadsync_lead_fields', N'U') IS NULL
CREATE TABLE dbo.leadsync_lead_fields (
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    field nvarchar(128) NOT NULL,
    position int NOT NULL,
    value nvarchar(max) NOT NULL,
    CONSTRAINT pk_leadsync_lead_fields PRIMARY KEY (member_id, lead_id, field, position)
);

-- 1,000 leads have more than 5,000 values and contacts; at that number of row locks SQL Server would lock the whole table.
ALTER TABLE dbo.leadsync_lead_fields SET (LOCK_ESCALATION = DISABLE);

ALTER TABLE dbo.bitrix_lead_contacts SET (LOCK_ESCALATION = DISABLE);

-- leadsync_field_types: the types of the portals' custom fields.
IF OBJECT_ID(N'dbo.leadsync_field_types', N'U') IS NULL
CREATE TABLE dbo.leadsync_field_types (
    member_id nvarchar(64) NOT NULL,
    field nvarchar(128) NOT NULL,
    type nvarchar(64) NOT NULL,
    multiple bit NOT NULL,
    label nvarchar(1000) NOT NULL,
    CONSTRAINT pk_leadsync_field_types PRIMARY KEY (member_id, field)
);

-- +goose Down

-- Drops leadsync's own objects. The columns of standard fields stay, because some may have existed before.

-- Without deleted_at, rows of deleted leads would look like existing ones, and so would their older duplicates.
DELETE d
FROM dbo.leadsync_duplicate_leads AS d
INNER JOIN dbo.bitrix_leads AS l ON l.member_id = d.member_id AND l.sql_ID = d.sql_ID
WHERE l.deleted_at IS NOT NULL;

DELETE FROM dbo.bitrix_leads WHERE deleted_at IS NOT NULL;

-- leadsync's own tokens; rows without a hash belong to the former program.
DELETE FROM dbo.bitrix_oauth WHERE refresh_token_hash IS NOT NULL;

DROP TABLE dbo.leadsync_field_types;

DROP TABLE dbo.leadsync_lead_fields;

DROP TABLE dbo.leadsync_incidents;

DROP TABLE dbo.leadsync_allowances;

DROP TABLE dbo.leadsync_failures;

DROP TABLE dbo.leadsync_callbacks;

DROP TABLE dbo.leadsync_findings;

DROP TABLE dbo.leadsync_runs;

DROP TABLE dbo.leadsync_outbox;

DROP TABLE dbo.leadsync_owners;

DROP TABLE dbo.leadsync_portals;

DROP INDEX ix_bitrix_leads_absent_since ON dbo.bitrix_leads;

DROP INDEX ix_bitrix_leads_deleted_at ON dbo.bitrix_leads;

DROP INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id ON dbo.bitrix_lead_contacts;

DROP INDEX ix_bitrix_lead_solution_member_id_sql_lead_id ON dbo.bitrix_lead_solution;

DROP INDEX ix_bitrix_import_lead_error_member_id_lead_id ON dbo.bitrix_import_lead_error;

ALTER TABLE dbo.bitrix_leads DROP CONSTRAINT uq_bitrix_leads_member_id_sql_id;

ALTER TABLE dbo.bitrix_leads DROP CONSTRAINT ck_bitrix_leads_adopted;

ALTER TABLE dbo.bitrix_lead_contacts DROP CONSTRAINT ck_bitrix_lead_contacts_adopted;

ALTER TABLE dbo.bitrix_lead_solution DROP CONSTRAINT ck_bitrix_lead_solution_adopted;

ALTER TABLE dbo.bitrix_import_lead_error DROP CONSTRAINT ck_bitrix_import_lead_error_adopted;

ALTER TABLE dbo.bitrix_leads DROP COLUMN read_at;

ALTER TABLE dbo.bitrix_leads DROP COLUMN row_hash;

ALTER TABLE dbo.bitrix_leads DROP COLUMN deleted_at;

ALTER TABLE dbo.bitrix_leads DROP COLUMN absent_since;

ALTER TABLE dbo.bitrix_leads DROP COLUMN raw_json;

ALTER TABLE dbo.bitrix_leads DROP COLUMN date_create_at;

ALTER TABLE dbo.bitrix_leads DROP COLUMN date_modify_at;

-- The former setting: for a table without partitions, AUTO means the table.
ALTER TABLE dbo.bitrix_lead_contacts SET (LOCK_ESCALATION = AUTO);

ALTER TABLE dbo.bitrix_oauth DROP COLUMN refresh_token_hash;

ALTER TABLE dbo.bitrix_oauth DROP COLUMN expires_at;

ALTER TABLE dbo.bitrix_oauth DROP COLUMN holder_kind;

ALTER TABLE dbo.bitrix_oauth DROP COLUMN refresh_began_at;

ALTER TABLE dbo.bitrix_oauth DROP COLUMN refresh_began_by;
