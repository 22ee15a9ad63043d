-- The six tables of the call centre, created where they are missing and otherwise kept with all their rows, and the columns that say
-- whose a row is. Nothing here reads or writes rows. leadsync migrate fills the columns afterwards, and 00002_mirror.sql does the rest.
-- The call centre's times are datetime: the portal's wall clock without an offset. leadsync's own columns have the exact
-- instants.
-- +goose Up

-- The call centre's tables, as its own script creates them (with nvarchar(max) for ntext). Existing tables stay as they are.
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
    CONSTRAINT pk_bitrix_leads PRIMARY KEY (Id)
);

IF OBJECT_ID(N'dbo.bitrix_lead_contacts', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_contacts (
    Id int IDENTITY(1,1) NOT NULL,
    sql_LEAD_ID int NULL,
    sql_CONTACT_ID nvarchar(2000) NULL,
    sql_VALUE_TYPE nvarchar(2000) NULL,
    sql_VALUE nvarchar(2000) NULL,
    sql_TYPE_ID nvarchar(2000) NULL,
    CONSTRAINT pk_bitrix_lead_contacts PRIMARY KEY (Id)
);

IF OBJECT_ID(N'dbo.bitrix_lead_solution', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_solution (
    Id int IDENTITY(1,1) NOT NULL,
    sql_LEAD_ID int NULL,
    sql_solution nvarchar(2000) NULL,
    CONSTRAINT pk_bitrix_lead_solution PRIMARY KEY (Id)
);

IF OBJECT_ID(N'dbo.bitrix_import_lead_error', N'U') IS NULL
CREATE TABLE dbo.bitrix_import_lead_error (
    Id int IDENTITY(1,1) NOT NULL,
    sql_ID nvarchar(2000) NULL,
    sql_error nvarchar(2000) NULL,
    sql_full_lead_info nvarchar(max) NULL,
    sql_date_error datetime NULL,
    CONSTRAINT pk_bitrix_import_lead_error PRIMARY KEY (Id)
);

IF OBJECT_ID(N'dbo.bitrix_lead_runtime', N'U') IS NULL
CREATE TABLE dbo.bitrix_lead_runtime (
    Id int IDENTITY(1,1) NOT NULL,
    lead_get_by_id_dt datetime NULL,
    lead_list_dt datetime NULL,
    CONSTRAINT pk_bitrix_lead_runtime PRIMARY KEY (Id)
);

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
    CONSTRAINT pk_bitrix_oauth PRIMARY KEY (Id)
);

-- ntext is obsolete and cannot be compared. -1 is the length of nvarchar(max).
IF COL_LENGTH(N'dbo.bitrix_leads', N'sql_COMMENTS') <> -1
ALTER TABLE dbo.bitrix_leads ALTER COLUMN sql_COMMENTS nvarchar(max);

IF COL_LENGTH(N'dbo.bitrix_import_lead_error', N'sql_full_lead_info') <> -1
ALTER TABLE dbo.bitrix_import_lead_error ALTER COLUMN sql_full_lead_info nvarchar(max);

-- leadsync_duplicate_leads: rows of an adopted database that have a newer row of the same lead.
IF OBJECT_ID(N'dbo.leadsync_duplicate_leads', N'U') IS NULL
CREATE TABLE dbo.leadsync_duplicate_leads (
    Id int NOT NULL,
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
    member_id nvarchar(64) NOT NULL,
    CONSTRAINT pk_leadsync_duplicate_leads PRIMARY KEY (Id)
);

-- The portal of a row, and the last read of a lead. The columns come without a value, so that SQL Server only notes them, however many
-- rows there are; then leadsync fills them, some rows at a time (adopt_leads.sql and its like).
IF COL_LENGTH(N'dbo.bitrix_leads', N'member_id') IS NULL
ALTER TABLE dbo.bitrix_leads ADD member_id nvarchar(64) NULL;

IF COL_LENGTH(N'dbo.bitrix_lead_contacts', N'member_id') IS NULL
ALTER TABLE dbo.bitrix_lead_contacts ADD member_id nvarchar(64) NULL;

IF COL_LENGTH(N'dbo.bitrix_lead_solution', N'member_id') IS NULL
ALTER TABLE dbo.bitrix_lead_solution ADD member_id nvarchar(64) NULL;

IF COL_LENGTH(N'dbo.bitrix_import_lead_error', N'member_id') IS NULL
ALTER TABLE dbo.bitrix_import_lead_error ADD member_id nvarchar(64) NULL;

-- Of leadsync's own rows: sql_ID is too wide for an index.
IF COL_LENGTH(N'dbo.bitrix_import_lead_error', N'lead_id') IS NULL
ALTER TABLE dbo.bitrix_import_lead_error ADD lead_id int NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'read_ticket') IS NULL
ALTER TABLE dbo.bitrix_leads ADD read_ticket bigint NULL;

IF COL_LENGTH(N'dbo.bitrix_leads', N'revision') IS NULL
ALTER TABLE dbo.bitrix_leads ADD revision bigint NULL;

-- +goose Down

-- The call centre's tables stay with their rows.
ALTER TABLE dbo.bitrix_leads DROP COLUMN member_id;

ALTER TABLE dbo.bitrix_leads DROP COLUMN read_ticket;

ALTER TABLE dbo.bitrix_leads DROP COLUMN revision;

-- The moved duplicates return unchanged.
-- +goose StatementBegin
SET IDENTITY_INSERT dbo.bitrix_leads ON;

INSERT INTO dbo.bitrix_leads (
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
FROM dbo.leadsync_duplicate_leads AS d;

SET IDENTITY_INSERT dbo.bitrix_leads OFF;
-- +goose StatementEnd

DROP TABLE dbo.leadsync_duplicate_leads;

ALTER TABLE dbo.bitrix_lead_contacts DROP COLUMN member_id;

ALTER TABLE dbo.bitrix_lead_solution DROP COLUMN member_id;

ALTER TABLE dbo.bitrix_import_lead_error DROP COLUMN member_id;

ALTER TABLE dbo.bitrix_import_lead_error DROP COLUMN lead_id;
