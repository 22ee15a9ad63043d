-- What passes need beyond 00001: the breaker, causes of findings, watermarks.
-- +goose Up

ALTER TABLE leadsync_runs ADD COLUMN max_deletes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leadsync_runs ADD COLUMN since_at TEXT;
ALTER TABLE leadsync_runs ADD COLUMN portal_at TEXT;
ALTER TABLE leadsync_runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

ALTER TABLE leadsync_findings ADD COLUMN cause TEXT;
ALTER TABLE leadsync_findings ADD COLUMN seconds_behind INTEGER;

ALTER TABLE leadsync_owners ADD COLUMN beat_at TEXT;

CREATE INDEX ix_bitrix_leads_deleted_at ON bitrix_leads (member_id, deleted_at);

-- leadsync_allowances: how many deletions an operator allows, and until when.
CREATE TABLE leadsync_allowances (
    member_id TEXT NOT NULL,
    max_deletes INTEGER NOT NULL,
    until_at TEXT NOT NULL,
    CONSTRAINT pk_leadsync_allowances PRIMARY KEY (member_id)
);

-- leadsync_incidents: when something was wrong that explains findings; member_id '' is every portal.
CREATE TABLE leadsync_incidents (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_incidents PRIMARY KEY AUTOINCREMENT,
    member_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    from_at TEXT NOT NULL,
    to_at TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX ix_leadsync_incidents_member_id_to_at ON leadsync_incidents (member_id, to_at);
