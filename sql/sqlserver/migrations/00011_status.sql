-- How far each portal's mirror can be trusted, for reports, the call centre and subscribers.
-- +goose Up

-- mirror_state: 'current', 'behind' or 'blind'. missed_at: changes before it may be missed until a pass that began later has ended.
IF COL_LENGTH(N'dbo.leadsync_owners', N'mirror_state') IS NULL
ALTER TABLE dbo.leadsync_owners ADD mirror_state nvarchar(16) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'mirror_since') IS NULL
ALTER TABLE dbo.leadsync_owners ADD mirror_since datetimeoffset(3) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'mirror_behind_since') IS NULL
ALTER TABLE dbo.leadsync_owners ADD mirror_behind_since datetimeoffset(3) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'mirror_reason') IS NULL
ALTER TABLE dbo.leadsync_owners ADD mirror_reason nvarchar(2000) NULL;

IF COL_LENGTH(N'dbo.leadsync_owners', N'missed_at') IS NULL
ALTER TABLE dbo.leadsync_owners ADD missed_at datetimeoffset(3) NULL;

IF OBJECT_ID(N'dbo.bitrix_mirror_status') IS NOT NULL
DROP VIEW dbo.bitrix_mirror_status;

-- bitrix_mirror_status: one row for each portal. While it says 'blind', "not found" may be false. A portal that no process serves is blind.
-- failing: leads that cannot be stored, whatever the state; those given up are among them.
-- +goose StatementBegin
CREATE VIEW dbo.bitrix_mirror_status
AS
SELECT
    p.member_id,
    p.domain,
    CASE
        WHEN p.state <> N'active' OR o.mirror_state IS NULL OR o.beat_at < DATEADD(second, -60, SYSDATETIMEOFFSET()) THEN N'blind'
        ELSE o.mirror_state
    END AS state,
    CASE
        WHEN p.state <> N'active' THEN p.updated_at
        WHEN o.mirror_state IS NULL THEN p.updated_at
        WHEN o.beat_at < DATEADD(second, -60, SYSDATETIMEOFFSET()) AND o.mirror_state <> N'blind' THEN o.beat_at
        ELSE o.mirror_since
    END AS since,
    o.mirror_behind_since AS behind_since,
    CASE
        WHEN p.state <> N'active' THEN N'the portal is not connected: its state is ' + p.state
        WHEN o.mirror_state IS NULL THEN N'no leadsync process has served the portal yet'
        WHEN o.beat_at < DATEADD(second, -60, SYSDATETIMEOFFSET()) THEN N'no leadsync process serves the portal'
        WHEN EXISTS (SELECT 1 FROM dbo.bitrix_leads AS l WHERE l.member_id = N'')
            THEN COALESCE(o.mirror_reason + N'; ', N'') + N'rows of an adopted database belong to no portal, so reports show their leads twice: run leadsync portals claim'
        ELSE o.mirror_reason
    END AS reason,
    o.beat_at AS checked_at,
    (SELECT COUNT(*) FROM dbo.leadsync_failures AS f WHERE f.member_id = p.member_id) AS failing
FROM dbo.leadsync_portals AS p
LEFT JOIN dbo.leadsync_owners AS o ON o.member_id = p.member_id;
-- +goose StatementEnd

-- +goose Down

DROP VIEW dbo.bitrix_mirror_status;
