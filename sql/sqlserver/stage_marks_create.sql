-- The key has no name: all sessions share the names of constraints of temporary tables.
CREATE TABLE #stage_marks (
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_ID int NOT NULL,
    was_ticket bigint NOT NULL,
    read_ticket bigint NOT NULL,
    revision bigint NOT NULL,
    absent_since nvarchar(40) NULL,
    deleted_at nvarchar(40) NULL,
    gone bit NOT NULL,
    PRIMARY KEY (member_id, sql_ID)
)
