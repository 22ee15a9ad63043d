CREATE TEMP TABLE stage_fields (
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    field TEXT NOT NULL,
    position INTEGER NOT NULL,
    value TEXT NOT NULL
)
