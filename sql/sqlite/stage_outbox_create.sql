CREATE TEMP TABLE stage_outbox (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    change_kind TEXT NULL,
    cause TEXT NULL,
    changed_fields TEXT NULL
)
