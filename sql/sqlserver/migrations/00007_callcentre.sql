-- Lookups of leads by telephone number, for the call centre. docs/callcentre.md explains them.
-- +goose Up

-- leadsync_phones: the numbers of the leads. digits10 is the key of lookups: the number as its own country dials it, without
-- trunk prefix and leading zeros, or the last ten digits where the number is not valid; repeated says
-- that an earlier number of the same lead has the same digits10. closed and created_at are the lead's: with them the key holds a number's
-- leads in the order of their rank, so that the best one is read first, however many share the number.
IF OBJECT_ID(N'dbo.leadsync_phones', N'U') IS NULL
CREATE TABLE dbo.leadsync_phones (
    digits10 nvarchar(15) NOT NULL,
    repeated bit NOT NULL,
    closed bit NOT NULL,
    created_at datetimeoffset(0) NULL,
    lead_id int NOT NULL,
    member_id nvarchar(64) NOT NULL,
    id bigint IDENTITY(1,1) NOT NULL,
    position int NOT NULL,
    contact_id nvarchar(2000) NULL,
    e164 nvarchar(24) NULL,
    extension nvarchar(8) NULL,
    CONSTRAINT pk_leadsync_phones PRIMARY KEY NONCLUSTERED (id)
);

CREATE UNIQUE CLUSTERED INDEX ix_leadsync_phones_digits10 ON dbo.leadsync_phones (digits10, repeated, closed, created_at DESC, lead_id DESC, member_id, id);

CREATE INDEX ix_leadsync_phones_member_id_lead_id ON dbo.leadsync_phones (member_id, lead_id);

-- 1,000 leads may have more than 5,000 numbers; at that number of row locks SQL Server would lock the whole table.
ALTER TABLE dbo.leadsync_phones SET (LOCK_ESCALATION = DISABLE);

-- leadsync_settings: the settings by which the database was filled.
IF OBJECT_ID(N'dbo.leadsync_settings', N'U') IS NULL
CREATE TABLE dbo.leadsync_settings (
    name nvarchar(64) NOT NULL,
    value nvarchar(2000) NOT NULL,
    CONSTRAINT pk_leadsync_settings PRIMARY KEY (name)
);

IF OBJECT_ID(N'dbo.bitrix_lead_by_phone') IS NOT NULL
DROP FUNCTION dbo.bitrix_lead_by_phone;

-- bitrix_lead_by_phone: the leads of a caller. Order by rank: 1 is the newest open lead; closed ones follow, the newest first.
-- rank is bigint, as ROW_NUMBER() is: converted to int, "rank = 1" would no longer stop SQL Server at the first row of a number.
-- It uses the first number in the text: from the first digit to the first character that is neither a digit nor a blank,
-- bracket, plus, dot, slash, tilde, hyphen or dash. The collation is binary, because in others [0-9] has more than ten characters.
-- The key of a lead's number is the end of the caller's; what stands before it must be the prefix of a call to that country:
-- its code, an exit code and its code, or its trunk prefix. Each length is one search of the index.
-- +goose StatementBegin
CREATE FUNCTION dbo.bitrix_lead_by_phone (@phone nvarchar(200))
RETURNS TABLE
AS
RETURN (
SELECT
    ROW_NUMBER() OVER (ORDER BY p.closed, p.created_at DESC, p.lead_id DESC, p.member_id) AS [rank],
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    LTRIM(RTRIM(COALESCE(l.sql_LAST_NAME + N' ', N'') + COALESCE(l.sql_NAME + N' ', N'') + COALESCE(l.sql_SECOND_NAME, N''))) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN p.closed = 1 THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    N'https://' + o.domain + N'/crm/lead/details/' + CONVERT(nvarchar(10), l.sql_ID) + N'/' AS card_url
FROM (
    SELECT
        d.plus,
        n.length,
        d.digits COLLATE DATABASE_DEFAULT AS digits,
        RIGHT(d.digits, n.length) COLLATE DATABASE_DEFAULT AS ending,
        LEFT(d.digits, CASE WHEN LEN(d.digits) > n.length THEN LEN(d.digits) - n.length ELSE 0 END) COLLATE DATABASE_DEFAULT AS prefix
    FROM (
        SELECT
            CONVERT(nvarchar(200), REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(
                    LEFT(
                        SUBSTRING(@phone, PATINDEX(N'%[0-9]%', @phone COLLATE Latin1_General_BIN2), 200),
                        NULLIF(PATINDEX(
                            N'%[^-0-9 ()+./~' + NCHAR(9) + NCHAR(160) + NCHAR(8208) + NCHAR(8209) + NCHAR(8211) + N']%',
                            (SUBSTRING(@phone, PATINDEX(N'%[0-9]%', @phone COLLATE Latin1_General_BIN2), 200) + N'x') COLLATE Latin1_General_BIN2
                        ), 0) - 1
                    ) COLLATE Latin1_General_BIN2,
                    N' ', N''), N'(', N''), N')', N''), N'+', N''), N'.', N''), N'/', N''), N'-', N''), N'~', N''), NCHAR(9), N''), NCHAR(160), N''), NCHAR(8208), N''), NCHAR(8209), N''), NCHAR(8211), N'')) AS digits,
            CASE WHEN SUBSTRING(@phone, PATINDEX(N'%[0-9]%', @phone COLLATE Latin1_General_BIN2) - 1, 1) = N'+' THEN 1 ELSE 0 END AS plus
    ) AS d
    INNER JOIN (VALUES (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15)) AS n (length) ON n.length <= LEN(d.digits)
) AS c
INNER JOIN dbo.leadsync_phones AS p ON p.digits10 = c.ending
INNER JOIN dbo.bitrix_leads AS l ON l.member_id = p.member_id AND l.sql_ID = p.lead_id
LEFT JOIN dbo.leadsync_portals AS o ON o.member_id = p.member_id
WHERE p.repeated = 0 AND l.deleted_at IS NULL
    AND (
        c.prefix = N'' AND (c.plus = 0 OR c.length < 7 OR p.e164 IS NULL)
        OR c.prefix = N'0' AND c.length >= 7 AND c.plus = 0
        OR c.prefix = N'8' AND c.length >= 7
        AND (p.e164 LIKE N'+7%' OR p.e164 LIKE N'+370%' OR p.e164 LIKE N'+375%' OR p.e164 LIKE N'+992%' OR p.e164 LIKE N'+993%' OR p.e164 LIKE N'+998%')
        OR c.prefix = N'80' AND c.length >= 7 AND (p.e164 LIKE N'+375%' OR p.e164 IS NULL)
        OR c.prefix = N'06' AND p.e164 LIKE N'+36%'
        OR c.length = 10 AND p.e164 IS NULL
        OR p.e164 = N'+' + REPLACE(c.prefix + N'|', N'0|', N'') + c.ending
        OR c.digits IN (
            SUBSTRING(p.e164, 2, 24),
            N'00' + SUBSTRING(p.e164, 2, 24),
            N'011' + SUBSTRING(p.e164, 2, 24),
            N'810' + SUBSTRING(p.e164, 2, 24),
            N'0011' + SUBSTRING(p.e164, 2, 24),
            N'010' + SUBSTRING(p.e164, 2, 24)
        )
    )
);
-- +goose StatementEnd

IF OBJECT_ID(N'dbo.bitrix_open_leads', N'V') IS NOT NULL
DROP VIEW dbo.bitrix_open_leads;

-- bitrix_open_leads: every open lead, one row for each number; leads without a number have one row. rank counts the leads of one
-- number.
-- +goose StatementBegin
CREATE VIEW dbo.bitrix_open_leads
AS
SELECT
    CASE WHEN p.digits10 IS NULL THEN 1 ELSE ROW_NUMBER() OVER (PARTITION BY p.digits10 ORDER BY p.created_at DESC, p.lead_id DESC, p.member_id) END AS [rank],
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    LTRIM(RTRIM(COALESCE(l.sql_LAST_NAME + N' ', N'') + COALESCE(l.sql_NAME + N' ', N'') + COALESCE(l.sql_SECOND_NAME, N''))) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    1 AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    N'https://' + o.domain + N'/crm/lead/details/' + CONVERT(nvarchar(10), l.sql_ID) + N'/' AS card_url
FROM dbo.bitrix_leads AS l
LEFT JOIN dbo.leadsync_phones AS p ON p.member_id = l.member_id AND p.lead_id = l.sql_ID AND p.repeated = 0
LEFT JOIN dbo.leadsync_portals AS o ON o.member_id = l.member_id
WHERE l.deleted_at IS NULL AND (l.sql_STATUS_SEMANTIC_ID IS NULL OR l.sql_STATUS_SEMANTIC_ID NOT IN (N'S', N'F'));
-- +goose StatementEnd

IF OBJECT_ID(N'dbo.bitrix_phone_leads', N'V') IS NOT NULL
DROP VIEW dbo.bitrix_phone_leads;

-- bitrix_phone_leads: one row for each number, with the lead that bitrix_lead_by_phone ranks first, so that reports can join it.
-- +goose StatementBegin
CREATE VIEW dbo.bitrix_phone_leads
AS
SELECT
    1 AS [rank],
    p.digits10,
    p.e164,
    p.extension,
    l.member_id,
    l.sql_ID AS lead_id,
    l.sql_TITLE AS title,
    LTRIM(RTRIM(COALESCE(l.sql_LAST_NAME + N' ', N'') + COALESCE(l.sql_NAME + N' ', N'') + COALESCE(l.sql_SECOND_NAME, N''))) AS name,
    l.sql_COMPANY_TITLE AS company,
    l.sql_ASSIGNED_BY_ID AS responsible_id,
    l.sql_STATUS_ID AS status_id,
    CASE WHEN p.closed = 1 THEN 0 ELSE 1 END AS is_open,
    l.date_create_at AS created_at,
    l.date_modify_at AS modified_at,
    l.read_at,
    N'https://' + o.domain + N'/crm/lead/details/' + CONVERT(nvarchar(10), l.sql_ID) + N'/' AS card_url
FROM dbo.leadsync_phones AS p
INNER JOIN dbo.bitrix_leads AS l ON l.member_id = p.member_id AND l.sql_ID = p.lead_id
LEFT JOIN dbo.leadsync_portals AS o ON o.member_id = p.member_id
WHERE l.deleted_at IS NULL AND p.id = (
    SELECT TOP (1) q.id
    FROM dbo.leadsync_phones AS q
    WHERE q.digits10 = p.digits10 AND q.repeated = 0
    ORDER BY q.closed, q.created_at DESC, q.lead_id DESC, q.member_id
);
-- +goose StatementEnd

-- +goose Down
DROP VIEW dbo.bitrix_phone_leads;
DROP VIEW dbo.bitrix_open_leads;
DROP FUNCTION dbo.bitrix_lead_by_phone;
DROP TABLE dbo.leadsync_phones;
DROP TABLE dbo.leadsync_settings;
