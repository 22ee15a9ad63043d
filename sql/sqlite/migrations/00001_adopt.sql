-- The same tables and names as on SQL Server. The call centre's times are text, YYYY-MM-DDTHH:MM:SS by the portal's wall
-- clock; exact instants are text in UTC. Instants in another format would compare wrongly.
-- +goose Up

-- The call centre's tables, as its own script creates them. Existing tables stay as they are.
CREATE TABLE IF NOT EXISTS bitrix_leads (
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
    sql_TITLE TEXT
);

CREATE TABLE IF NOT EXISTS bitrix_lead_contacts (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_contacts PRIMARY KEY AUTOINCREMENT,
    sql_LEAD_ID INTEGER,
    sql_CONTACT_ID TEXT,
    sql_VALUE_TYPE TEXT,
    sql_VALUE TEXT,
    sql_TYPE_ID TEXT
);

CREATE TABLE IF NOT EXISTS bitrix_lead_solution (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_solution PRIMARY KEY AUTOINCREMENT,
    sql_LEAD_ID INTEGER,
    sql_solution TEXT
);

CREATE TABLE IF NOT EXISTS bitrix_import_lead_error (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_import_lead_error PRIMARY KEY AUTOINCREMENT,
    sql_ID TEXT,
    sql_error TEXT,
    sql_full_lead_info TEXT,
    sql_date_error TEXT
);

CREATE TABLE IF NOT EXISTS bitrix_lead_runtime (
    Id INTEGER NOT NULL CONSTRAINT pk_bitrix_lead_runtime PRIMARY KEY AUTOINCREMENT,
    lead_get_by_id_dt TEXT,
    lead_list_dt TEXT
);

CREATE TABLE IF NOT EXISTS bitrix_oauth (
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
    code TEXT
);

-- leadsync_duplicate_leads: rows of an adopted database that have a newer row of the same lead.
CREATE TABLE IF NOT EXISTS leadsync_duplicate_leads (
    Id INTEGER NOT NULL CONSTRAINT pk_leadsync_duplicate_leads PRIMARY KEY,
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
    member_id TEXT NOT NULL
);

-- The portal of a row, and the last read of a lead.
ALTER TABLE bitrix_leads ADD COLUMN member_id TEXT NOT NULL DEFAULT '';
ALTER TABLE bitrix_lead_contacts ADD COLUMN member_id TEXT NOT NULL DEFAULT '';
ALTER TABLE bitrix_lead_solution ADD COLUMN member_id TEXT NOT NULL DEFAULT '';
ALTER TABLE bitrix_import_lead_error ADD COLUMN member_id TEXT NOT NULL DEFAULT '';
ALTER TABLE bitrix_import_lead_error ADD COLUMN lead_id INTEGER;
ALTER TABLE bitrix_leads ADD COLUMN read_ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bitrix_leads ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- +goose Down

-- The call centre's tables stay with their rows.
ALTER TABLE bitrix_leads DROP COLUMN member_id;
ALTER TABLE bitrix_leads DROP COLUMN read_ticket;
ALTER TABLE bitrix_leads DROP COLUMN revision;

-- The moved duplicates return unchanged.
INSERT INTO bitrix_leads (
    Id, sql_ADDRESS, sql_ADDRESS_2, sql_ADDRESS_CITY, sql_ADDRESS_COUNTRY, sql_ADDRESS_COUNTRY_CODE,
    sql_ADDRESS_POSTAL_CODE, sql_ADDRESS_PROVINCE, sql_ADDRESS_REGION, sql_ASSIGNED_BY_ID, sql_BIRTHDATE,
    sql_COMMENTS, sql_COMPANY_ID, sql_COMPANY_TITLE, sql_CONTACT_ID, sql_CREATED_BY_ID, sql_CURRENCY_ID,
    sql_DATE_CLOSED, sql_DATE_CREATE, sql_DATE_MODIFY, sql_ID, sql_LAST_NAME, sql_MODIFY_BY_ID, sql_NAME, sql_OPENED,
    sql_OPPORTUNITY, sql_ORIGIN_ID, sql_ORIGINATOR_ID, sql_POST, sql_SECOND_NAME, sql_SOURCE_DESCRIPTION,
    sql_SOURCE_ID, sql_STATUS_DESCRIPTION, sql_STATUS_ID, sql_TITLE
)
SELECT
    d.Id, d.sql_ADDRESS, d.sql_ADDRESS_2, d.sql_ADDRESS_CITY, d.sql_ADDRESS_COUNTRY, d.sql_ADDRESS_COUNTRY_CODE,
    d.sql_ADDRESS_POSTAL_CODE, d.sql_ADDRESS_PROVINCE, d.sql_ADDRESS_REGION, d.sql_ASSIGNED_BY_ID, d.sql_BIRTHDATE,
    d.sql_COMMENTS, d.sql_COMPANY_ID, d.sql_COMPANY_TITLE, d.sql_CONTACT_ID, d.sql_CREATED_BY_ID, d.sql_CURRENCY_ID,
    d.sql_DATE_CLOSED, d.sql_DATE_CREATE, d.sql_DATE_MODIFY, d.sql_ID, d.sql_LAST_NAME, d.sql_MODIFY_BY_ID,
    d.sql_NAME, d.sql_OPENED, d.sql_OPPORTUNITY, d.sql_ORIGIN_ID, d.sql_ORIGINATOR_ID, d.sql_POST, d.sql_SECOND_NAME,
    d.sql_SOURCE_DESCRIPTION, d.sql_SOURCE_ID, d.sql_STATUS_DESCRIPTION, d.sql_STATUS_ID, d.sql_TITLE
FROM leadsync_duplicate_leads AS d;

DROP TABLE leadsync_duplicate_leads;

ALTER TABLE bitrix_lead_contacts DROP COLUMN member_id;
ALTER TABLE bitrix_lead_solution DROP COLUMN member_id;
ALTER TABLE bitrix_import_lead_error DROP COLUMN member_id;
ALTER TABLE bitrix_import_lead_error DROP COLUMN lead_id;
