-- +goose Up

-- leadsync_callbacks: when the last callback of a lead came; reconciliation explains differences by it.
CREATE TABLE leadsync_callbacks (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    event TEXT NOT NULL,
    received_at TEXT NOT NULL,
    CONSTRAINT pk_leadsync_callbacks PRIMARY KEY (member_id, lead_id)
);

-- leadsync_failures: leads that could not be written, until one of them can or is given up.
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
