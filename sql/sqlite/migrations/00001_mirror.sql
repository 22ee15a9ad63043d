-- The same tables and names as on SQL Server. Times of the seed are text, YYYY-MM-DDTHH:MM:SS on the portal's wall
-- clock; exact instants are text in UTC. One in another format would compare wrongly.
-- +goose Up

-- bitrix_leads: the leads, as the seed keeps them; from member_id on the columns are ours.
CREATE TABLE bitrix_leads (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_leads PRIMARY KEY AUTOINCREMENT,
    sql_ADDRESS TEXT,
    sql_ADDRESS_2 TEXT,
    sql_ADDRESS_CITY TEXT,
    sql_ADDRESS_COUNTRY TEXT,
    sql_ADDRESS_COUNTRY_CODE TEXT,
    sql_ADDRESS_POSTAL_CODE TEXT,
    sql_ADDRESS_PROVINCE TEXT,
    sql_ADDRESS_REGION TEXT,
    sql_ASSIGNED_BY_ID TEXT,
    sql_BIRTHDATE TEXT,
    sql_COMMENTS TEXT,
    sql_COMPANY_ID TEXT,
    sql_COMPANY_TITLE TEXT,
    sql_CONTACT_ID TEXT,
    sql_CREATED_BY_ID TEXT,
    sql_CURRENCY_ID TEXT,
    sql_DATE_CLOSED TEXT,
    sql_DATE_CREATE TEXT,
    sql_DATE_MODIFY TEXT,
    sql_ID INTEGER NOT NULL,
    sql_LAST_NAME TEXT,
    sql_MODIFY_BY_ID TEXT,
    sql_NAME TEXT,
    sql_OPENED TEXT,
    sql_OPPORTUNITY TEXT,
    sql_ORIGIN_ID TEXT,
    sql_ORIGINATOR_ID TEXT,
    sql_POST TEXT,
    sql_SECOND_NAME TEXT,
    sql_SOURCE_DESCRIPTION TEXT,
    sql_SOURCE_ID TEXT,
    sql_STATUS_DESCRIPTION TEXT,
    sql_STATUS_ID TEXT,
    sql_TITLE TEXT,
    sql_HONORIFIC TEXT,
    sql_IS_RETURN_CUSTOMER TEXT,
    sql_IS_MANUAL_OPPORTUNITY TEXT,
    sql_HAS_PHONE TEXT,
    sql_HAS_EMAIL TEXT,
    sql_HAS_IMOL TEXT,
    sql_STATUS_SEMANTIC_ID TEXT,
    sql_MOVED_BY_ID TEXT,
    sql_MOVED_TIME TEXT,
    sql_ADDRESS_LOC_ADDR_ID TEXT,
    sql_UTM_SOURCE TEXT,
    sql_UTM_MEDIUM TEXT,
    sql_UTM_CAMPAIGN TEXT,
    sql_UTM_CONTENT TEXT,
    sql_UTM_TERM TEXT,
    sql_LAST_ACTIVITY_BY TEXT,
    sql_LAST_ACTIVITY_TIME TEXT,
    member_id TEXT NOT NULL,
    read_at TEXT,
    read_ticket INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    row_hash TEXT,
    deleted_at TEXT,
    absent_since TEXT,
    raw_json TEXT,
    date_create_at TEXT,
    date_modify_at TEXT,
    CONSTRAINT uq_bitrix_leads_member_id_sql_id UNIQUE (member_id, sql_ID)
);

CREATE INDEX ix_bitrix_leads_absent_since ON bitrix_leads (member_id, absent_since);

-- bitrix_lead_contacts: phones, addresses and the like of the leads.
CREATE TABLE bitrix_lead_contacts (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_contacts PRIMARY KEY AUTOINCREMENT,
    sql_LEAD_ID INTEGER,
    sql_CONTACT_ID TEXT,
    sql_VALUE_TYPE TEXT,
    sql_VALUE TEXT,
    sql_TYPE_ID TEXT,
    member_id TEXT NOT NULL
);

CREATE INDEX ix_bitrix_lead_contacts_member_id_sql_lead_id ON bitrix_lead_contacts (member_id, sql_LEAD_ID);

-- bitrix_lead_solution: one custom field of the leads.
CREATE TABLE bitrix_lead_solution (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_solution PRIMARY KEY AUTOINCREMENT,
    sql_LEAD_ID INTEGER,
    sql_solution TEXT,
    member_id TEXT NOT NULL
);

CREATE INDEX ix_bitrix_lead_solution_member_id_sql_lead_id ON bitrix_lead_solution (member_id, sql_LEAD_ID);

-- bitrix_import_lead_error: leads that could not be written, with their card.
CREATE TABLE bitrix_import_lead_error (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_import_lead_error PRIMARY KEY AUTOINCREMENT,
    sql_ID TEXT,
    sql_error TEXT,
    sql_full_lead_info TEXT,
    sql_date_error TEXT,
    member_id TEXT
);

-- bitrix_lead_runtime: when leads were listed and read last; row 1.
CREATE TABLE bitrix_lead_runtime (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_runtime PRIMARY KEY AUTOINCREMENT,
    lead_get_by_id_dt TEXT,
    lead_list_dt TEXT
);

-- bitrix_oauth: tokens, one row a portal.
CREATE TABLE bitrix_oauth (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_oauth PRIMARY KEY AUTOINCREMENT,
    access_token TEXT,
    expires_in TEXT,
    scope TEXT,
    user_id TEXT,
    refresh_token TEXT,
    domain TEXT,
    member_id TEXT,
    redirect_uri TEXT,
    client_id TEXT,
    client_secret TEXT,
    dateexec TEXT,
    code TEXT,
    refresh_token_hash TEXT,
    expires_at TEXT
);

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
    CONSTRAINT pk_leadsync_portals PRIMARY KEY (member_id)
);

-- leadsync_owners: whose tickets count: each change of a portal's owner raises its epoch.
CREATE TABLE leadsync_owners (
    member_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    taken_at TEXT NOT NULL,
    CONSTRAINT pk_leadsync_owners PRIMARY KEY (member_id)
);

-- leadsync_outbox: changes to be announced; written with the row, deleted when announced.
CREATE TABLE leadsync_outbox (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_outbox PRIMARY KEY AUTOINCREMENT,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL
);

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
    CONSTRAINT uq_leadsync_runs_id UNIQUE (id)
);

CREATE UNIQUE INDEX uq_leadsync_runs_unfinished ON leadsync_runs (member_id, mode, dry_run) WHERE state IN ('requested', 'running');

-- leadsync_findings: differences that runs found.
CREATE TABLE leadsync_findings (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_findings PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    fields TEXT NOT NULL,
    found_at TEXT NOT NULL,
    repaired TEXT NOT NULL
);

CREATE INDEX ix_leadsync_findings_run_id ON leadsync_findings (run_id);

INSERT INTO bitrix_lead_runtime DEFAULT VALUES;
