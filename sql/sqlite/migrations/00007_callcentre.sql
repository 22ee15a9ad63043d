-- Lookups of leads by telephone number, for the call centre. docs/callcentre.md explains them. SQLite has no functions that
-- return tables: callers_list.sql takes the place of bitrix_lead_by_phone.
-- +goose Up

-- leadsync_phones: the numbers of the leads. digits10 is the key of lookups: the number as its own country dials it, without
-- trunk prefix and leading zeros, or the last ten digits where the number is not valid; repeated says
-- that an earlier number of the same lead has the same digits10. closed and created_at are the lead's: with them the index holds a number's
-- leads in the order of their rank, so that the best one is read first, however many share the number.
CREATE TABLE leadsync_phones (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_phones PRIMARY KEY,
    digits10 TEXT NOT NULL,
    repeated INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    created_at TEXT,
    lead_id INTEGER NOT NULL,
    member_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    contact_id TEXT,
    e164 TEXT,
    extension TEXT
);

CREATE INDEX ix_leadsync_phones_digits10 ON leadsync_phones
    (digits10, repeated, closed, created_at DESC, lead_id DESC, member_id, e164, extension);

CREATE INDEX ix_leadsync_phones_member_id_lead_id ON leadsync_phones (member_id, lead_id);

-- leadsync_settings: the settings by which the database was filled.
CREATE TABLE leadsync_settings (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_leadsync_settings PRIMARY KEY (name)
);

-- bitrix_open_leads: every open lead, one row for each number; leads without a number have one row. rank counts the leads of one
-- number.
CREATE VIEW bitrix_open_leads AS
SELECT
    CASE WHEN p.digits10 IS NULL THEN 1 ELSE ROW_NUMBER() OVER (PARTITION BY p.digits10 ORDER BY p.created_at DESC, p.lead_id DESC, p.member_id) END AS rank,
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    TRIM(COALESCE(l.sql_LAST_NAME || ' ', '') || COALESCE(l.sql_NAME || ' ', '') || COALESCE(l.sql_SECOND_NAME, '')) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    1 AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    'https://' || o.domain || '/crm/lead/details/' || l.sql_ID || '/' AS card_url
FROM bitrix_leads AS l
LEFT JOIN leadsync_phones AS p ON p.member_id = l.member_id AND p.lead_id = l.sql_ID AND p.repeated = 0
LEFT JOIN leadsync_portals AS o ON o.member_id = l.member_id
WHERE l.deleted_at IS NULL AND (l.sql_STATUS_SEMANTIC_ID IS NULL OR l.sql_STATUS_SEMANTIC_ID NOT IN ('S', 'F'));

-- bitrix_phone_leads: one row for each number, with the lead of the first rank, so that reports can join it.
CREATE VIEW bitrix_phone_leads AS
SELECT
    1 AS rank,
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    TRIM(COALESCE(l.sql_LAST_NAME || ' ', '') || COALESCE(l.sql_NAME || ' ', '') || COALESCE(l.sql_SECOND_NAME, '')) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN p.closed = 1 THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    'https://' || o.domain || '/crm/lead/details/' || l.sql_ID || '/' AS card_url
FROM leadsync_phones AS p
INNER JOIN bitrix_leads AS l ON l.member_id = p.member_id AND l.sql_ID = p.lead_id
LEFT JOIN leadsync_portals AS o ON o.member_id = p.member_id
WHERE l.deleted_at IS NULL AND p.id = (
    SELECT q.id
    FROM leadsync_phones AS q
    WHERE q.digits10 = p.digits10 AND q.repeated = 0
    ORDER BY q.closed, q.created_at DESC, q.lead_id DESC, q.member_id
    LIMIT 1
);

-- +goose Down
DROP VIEW bitrix_phone_leads;
DROP VIEW bitrix_open_leads;
DROP TABLE leadsync_phones;
DROP TABLE leadsync_settings;
