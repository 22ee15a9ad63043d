CREATE TEMP TABLE stage_marks (
    member_id TEXT NOT NULL,
    sql_ID INTEGER NOT NULL,
    was_ticket INTEGER NOT NULL,
    read_ticket INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    absent_since TEXT,
    deleted_at TEXT,
    gone INTEGER NOT NULL,
    PRIMARY KEY (member_id, sql_ID)
) WITHOUT ROWID
