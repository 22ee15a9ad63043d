-- leadsync's own columns, indexes and tables, as on SQL Server.
-- +goose Up

-- Rows that have a newer row of the same lead: leadsync migrate has moved them, but for those that came since. The newest row of a lead is
-- the one modified last; of several such rows, the one inserted last.
INSERT INTO leadsync_duplicate_leads (
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
FROM bitrix_leads AS l
WHERE l.Id IN (
    SELECT r.Id
    FROM (
        SELECT d.Id, ROW_NUMBER() OVER (
            PARTITION BY d.sql_ID
            ORDER BY CASE WHEN d.sql_DATE_MODIFY IS NULL THEN 1 ELSE 0 END, d.sql_DATE_MODIFY DESC, d.Id DESC
        ) AS place
        FROM bitrix_leads AS d
    ) AS r
    WHERE r.place > 1
);

DELETE FROM bitrix_leads WHERE Id IN (SELECT d.Id FROM leadsync_duplicate_leads AS d);

-- Standard fields without a column in the call centre's table.
ALTER TABLE bitrix_leads ADD COLUMN sql_HONORIFIC TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_IS_RETURN_CUSTOMER TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_IS_MANUAL_OPPORTUNITY TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_HAS_PHONE TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_HAS_EMAIL TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_HAS_IMOL TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_STATUS_SEMANTIC_ID TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_MOVED_BY_ID TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_MOVED_TIME TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_ADDRESS_LOC_ADDR_ID TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_UTM_SOURCE TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_UTM_MEDIUM TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_UTM_CAMPAIGN TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_UTM_CONTENT TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_UTM_TERM TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_LAST_ACTIVITY_BY TEXT;
ALTER TABLE bitrix_leads ADD COLUMN sql_LAST_ACTIVITY_TIME TEXT;

-- The last read of a lead.
ALTER TABLE bitrix_leads ADD COLUMN read_at TEXT;
ALTER TABLE bitrix_leads ADD COLUMN row_hash TEXT;
ALTER TABLE bitrix_leads ADD COLUMN deleted_at TEXT;
ALTER TABLE bitrix_leads ADD COLUMN absent_since TEXT;
ALTER TABLE bitrix_leads ADD COLUMN raw_json TEXT;
ALTER TABLE bitrix_leads ADD COLUMN date_create_at TEXT;
ALTER TABLE bitrix_leads ADD COLUMN date_modify_at TEXT;

-- holder_kind: 'system' for the application's own user, '' or NULL for the user who installed it.
ALTER TABLE bitrix_oauth ADD COLUMN refresh_token_hash TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN expires_at TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN holder_kind TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN refresh_began_at TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN refresh_began_by TEXT;

CREATE UNIQUE INDEX uq_bitrix_leads_member_id_sql_id ON bitrix_leads (member_id, sql_ID);
CREATE INDEX ix_bitrix_leads_absent_since ON bitrix_leads (member_id, absent_since);
CREATE INDEX ix_bitrix_leads_deleted_at ON bitrix_leads (member_id, deleted_at);
CREATE INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id ON bitrix_lead_contacts (member_id, sql_LEAD_ID);
CREATE INDEX ix_bitrix_lead_solution_member_id_sql_lead_id ON bitrix_lead_solution (member_id, sql_LEAD_ID);
CREATE INDEX ix_bitrix_import_lead_error_member_id_lead_id ON bitrix_import_lead_error (member_id, lead_id);

-- leadsync_portals: the portals.
CREATE TABLE leadsync_portals (
    member_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    state TEXT NOT NULL,
    client_endpoint TEXT NOT NULL,
    server_endpoint TEXT NOT NULL,
    webhook_url TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    bound_events TEXT,
    bound_at TEXT,
    CONSTRAINT pk_leadsync_portals PRIMARY KEY (member_id)
);

-- leadsync_owners: the owner of each portal. Each change of the owner raises the epoch; only tickets of that epoch count.
CREATE TABLE leadsync_owners (
    member_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    taken_at TEXT NOT NULL,
    budget_at TEXT,
    budget_level REAL,
    budget_depth REAL,
    budget_share REAL,
    budget_refusals INTEGER,
    beat_at TEXT,
    problem TEXT,
    problem_since TEXT,
    problem_parts TEXT, -- what fails, part by part, for the next owner
    note TEXT,
    fields_read_at TEXT, -- when leadsync_field_types was written last
    CONSTRAINT pk_leadsync_owners PRIMARY KEY (member_id)
);

-- leadsync_outbox: changes to be announced; written with the row, deleted when announced. Where card_in_row is 1, body lacks the
-- card: it is the raw_json of the lead's row. A statement that writes another raw_json completes body first.
CREATE TABLE leadsync_outbox (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_outbox PRIMARY KEY AUTOINCREMENT,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    card_in_row INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE INDEX ix_leadsync_outbox_member_id ON leadsync_outbox (member_id, id);
CREATE INDEX ix_leadsync_outbox_card_in_row ON leadsync_outbox (member_id, lead_id) WHERE card_in_row = 1;

-- leadsync_runs: passes over a portal, newest last.
CREATE TABLE leadsync_runs (
    seq INTEGER NOT NULL CONSTRAINT pk_leadsync_runs PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    state TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    requested_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    checkpoint_id INTEGER NOT NULL,
    error TEXT,
    claimed_epoch INTEGER NOT NULL,
    scanned INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    stale INTEGER NOT NULL,
    phantom INTEGER NOT NULL,
    unreadable INTEGER NOT NULL,
    rows_inserted INTEGER NOT NULL,
    rows_updated INTEGER NOT NULL,
    rows_deleted INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    max_deletes INTEGER NOT NULL,
    since_at TEXT,
    portal_at TEXT,
    refused INTEGER NOT NULL,
    unprocessable INTEGER NOT NULL,
    failing INTEGER NOT NULL,
    CONSTRAINT uq_leadsync_runs_id UNIQUE (id)
);

CREATE UNIQUE INDEX uq_leadsync_runs_unread ON leadsync_runs (member_id, mode, dry_run)
WHERE state IN ('requested', 'running') AND checkpoint_id = 0 AND scanned = 0;

-- leadsync_findings: differences that runs found.
CREATE TABLE leadsync_findings (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_findings PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    fields TEXT NOT NULL,
    found_at TEXT NOT NULL,
    repaired TEXT NOT NULL,
    cause TEXT,
    seconds_behind INTEGER
);

-- A pass asks for its pending findings before each window.
CREATE INDEX ix_leadsync_findings_run_id ON leadsync_findings (run_id, repaired, lead_id);

-- leadsync_callbacks: the last callback of each lead, by which reconciliation explains differences.
CREATE TABLE leadsync_callbacks (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    event TEXT NOT NULL,
    received_at TEXT NOT NULL,
    CONSTRAINT pk_leadsync_callbacks PRIMARY KEY (member_id, lead_id)
);

-- leadsync_failures: leads that could not be written, until they are written or given up.
CREATE TABLE leadsync_failures (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    next_attempt_at TEXT,
    CONSTRAINT pk_leadsync_failures PRIMARY KEY (member_id, lead_id)
);

-- leadsync_allowances: how many deletions an operator allows, and until when.
CREATE TABLE leadsync_allowances (
    member_id TEXT NOT NULL,
    max_deletes INTEGER NOT NULL,
    until_at TEXT NOT NULL,
    CONSTRAINT pk_leadsync_allowances PRIMARY KEY (member_id)
);

-- leadsync_incidents: periods with a problem that explains findings; member_id '' means every portal.
CREATE TABLE leadsync_incidents (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_incidents PRIMARY KEY AUTOINCREMENT,
    member_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    from_at TEXT NOT NULL,
    to_at TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX ix_leadsync_incidents_member_id_to_at ON leadsync_incidents (member_id, to_at);

-- leadsync_lead_fields: the custom fields of the leads, one row for each value, so that reports can join them. Empty values
-- have no row.
CREATE TABLE leadsync_lead_fields (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    field TEXT NOT NULL,
    position INTEGER NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_leadsync_lead_fields PRIMARY KEY (member_id, lead_id, field, position)
) WITHOUT ROWID;

-- leadsync_field_types: the types of the portals' custom fields.
CREATE TABLE leadsync_field_types (
    member_id TEXT NOT NULL,
    field TEXT NOT NULL,
    type TEXT NOT NULL,
    multiple INTEGER NOT NULL,
    label TEXT NOT NULL,
    CONSTRAINT pk_leadsync_field_types PRIMARY KEY (member_id, field)
);

-- +goose Down

-- Drops leadsync's own objects; the call centre's tables stay with their rows.

-- Without deleted_at, rows of deleted leads would look like existing ones, and so would their older duplicates.
DELETE FROM leadsync_duplicate_leads WHERE EXISTS (
    SELECT 1
    FROM bitrix_leads AS l
    WHERE l.member_id = leadsync_duplicate_leads.member_id AND l.sql_ID = leadsync_duplicate_leads.sql_ID AND l.deleted_at IS NOT NULL
);
DELETE FROM bitrix_leads WHERE deleted_at IS NOT NULL;

-- leadsync's own tokens; rows without a hash belong to the former program.
DELETE FROM bitrix_oauth WHERE refresh_token_hash IS NOT NULL;

DROP TABLE leadsync_field_types;
DROP TABLE leadsync_lead_fields;
DROP TABLE leadsync_incidents;
DROP TABLE leadsync_allowances;
DROP TABLE leadsync_failures;
DROP TABLE leadsync_callbacks;
DROP TABLE leadsync_findings;
DROP TABLE leadsync_runs;
DROP TABLE leadsync_outbox;
DROP TABLE leadsync_owners;
DROP TABLE leadsync_portals;

DROP INDEX uq_bitrix_leads_member_id_sql_id;
DROP INDEX ix_bitrix_leads_absent_since;
DROP INDEX ix_bitrix_leads_deleted_at;
DROP INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id;
DROP INDEX ix_bitrix_lead_solution_member_id_sql_lead_id;
DROP INDEX ix_bitrix_import_lead_error_member_id_lead_id;

ALTER TABLE bitrix_leads DROP COLUMN sql_HONORIFIC;
ALTER TABLE bitrix_leads DROP COLUMN sql_IS_RETURN_CUSTOMER;
ALTER TABLE bitrix_leads DROP COLUMN sql_IS_MANUAL_OPPORTUNITY;
ALTER TABLE bitrix_leads DROP COLUMN sql_HAS_PHONE;
ALTER TABLE bitrix_leads DROP COLUMN sql_HAS_EMAIL;
ALTER TABLE bitrix_leads DROP COLUMN sql_HAS_IMOL;
ALTER TABLE bitrix_leads DROP COLUMN sql_STATUS_SEMANTIC_ID;
ALTER TABLE bitrix_leads DROP COLUMN sql_MOVED_BY_ID;
ALTER TABLE bitrix_leads DROP COLUMN sql_MOVED_TIME;
ALTER TABLE bitrix_leads DROP COLUMN sql_ADDRESS_LOC_ADDR_ID;
ALTER TABLE bitrix_leads DROP COLUMN sql_UTM_SOURCE;
ALTER TABLE bitrix_leads DROP COLUMN sql_UTM_MEDIUM;
ALTER TABLE bitrix_leads DROP COLUMN sql_UTM_CAMPAIGN;
ALTER TABLE bitrix_leads DROP COLUMN sql_UTM_CONTENT;
ALTER TABLE bitrix_leads DROP COLUMN sql_UTM_TERM;
ALTER TABLE bitrix_leads DROP COLUMN sql_LAST_ACTIVITY_BY;
ALTER TABLE bitrix_leads DROP COLUMN sql_LAST_ACTIVITY_TIME;
ALTER TABLE bitrix_leads DROP COLUMN read_at;
ALTER TABLE bitrix_leads DROP COLUMN row_hash;
ALTER TABLE bitrix_leads DROP COLUMN deleted_at;
ALTER TABLE bitrix_leads DROP COLUMN absent_since;
ALTER TABLE bitrix_leads DROP COLUMN raw_json;
ALTER TABLE bitrix_leads DROP COLUMN date_create_at;
ALTER TABLE bitrix_leads DROP COLUMN date_modify_at;

ALTER TABLE bitrix_oauth DROP COLUMN refresh_token_hash;
ALTER TABLE bitrix_oauth DROP COLUMN expires_at;
ALTER TABLE bitrix_oauth DROP COLUMN holder_kind;
ALTER TABLE bitrix_oauth DROP COLUMN refresh_began_at;
ALTER TABLE bitrix_oauth DROP COLUMN refresh_began_by;
