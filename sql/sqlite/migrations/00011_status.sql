-- How far each portal's mirror can be trusted, for reports, the call centre and subscribers.
-- +goose Up

-- mirror_state: 'current', 'behind' or 'blind'. missed_at: changes before it may be missed until a pass that began later has ended.
ALTER TABLE leadsync_owners ADD COLUMN mirror_state TEXT;
ALTER TABLE leadsync_owners ADD COLUMN mirror_since TEXT;
ALTER TABLE leadsync_owners ADD COLUMN mirror_behind_since TEXT;
ALTER TABLE leadsync_owners ADD COLUMN mirror_reason TEXT;
ALTER TABLE leadsync_owners ADD COLUMN missed_at TEXT;

-- bitrix_mirror_status: one row for each portal. While it says 'blind', "not found" may be false. A portal that no process serves is blind.
-- failing: leads that cannot be stored, whatever the state; those given up are among them.
CREATE VIEW bitrix_mirror_status AS
SELECT
    p.member_id,
    p.domain,
    CASE
        WHEN p.state <> 'active' OR o.mirror_state IS NULL OR o.beat_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 seconds') THEN 'blind'
        ELSE o.mirror_state
    END AS state,
    CASE
        WHEN p.state <> 'active' THEN p.updated_at
        WHEN o.mirror_state IS NULL THEN p.updated_at
        WHEN o.beat_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 seconds') AND o.mirror_state <> 'blind' THEN o.beat_at
        ELSE o.mirror_since
    END AS since,
    o.mirror_behind_since AS behind_since,
    CASE
        WHEN p.state <> 'active' THEN 'the portal is not connected: its state is ' || p.state
        WHEN o.mirror_state IS NULL THEN 'no leadsync process has served the portal yet'
        WHEN o.beat_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 seconds') THEN 'no leadsync process serves the portal'
        WHEN EXISTS (SELECT 1 FROM bitrix_leads AS l WHERE l.member_id = '')
            THEN COALESCE(o.mirror_reason || '; ', '') || 'rows of an adopted database belong to no portal, so reports show their leads twice: run leadsync portals claim'
        ELSE o.mirror_reason
    END AS reason,
    o.beat_at AS checked_at,
    (SELECT COUNT(*) FROM leadsync_failures AS f WHERE f.member_id = p.member_id) AS failing
FROM leadsync_portals AS p
LEFT JOIN leadsync_owners AS o ON o.member_id = p.member_id;

-- +goose Down

DROP VIEW bitrix_mirror_status;
