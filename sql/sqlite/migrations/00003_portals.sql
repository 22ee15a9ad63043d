-- What is known of a portal besides its address: whose tokens there are, what is bound, how its budget stands.
-- +goose Up

-- holder_kind: 'system' for the application's own user, '' or NULL for whoever installed.
ALTER TABLE bitrix_oauth ADD COLUMN holder_kind TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN refresh_began_at TEXT;
ALTER TABLE bitrix_oauth ADD COLUMN refresh_began_by TEXT;

ALTER TABLE leadsync_portals ADD COLUMN bound_events TEXT;
ALTER TABLE leadsync_portals ADD COLUMN bound_at TEXT;

ALTER TABLE leadsync_owners ADD COLUMN budget_at TEXT;
ALTER TABLE leadsync_owners ADD COLUMN budget_level REAL;
ALTER TABLE leadsync_owners ADD COLUMN budget_depth REAL;
ALTER TABLE leadsync_owners ADD COLUMN budget_share REAL;
ALTER TABLE leadsync_owners ADD COLUMN budget_refusals INTEGER;
