CREATE TEMP TABLE stage_phones (
    digits10 TEXT NOT NULL,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    contact_id TEXT,
    position INTEGER NOT NULL,
    e164 TEXT,
    extension TEXT,
    repeated INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    created_at TEXT
)
