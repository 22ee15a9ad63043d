CREATE TABLE #stage_fields (
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    lead_id int NOT NULL,
    field nvarchar(128) COLLATE DATABASE_DEFAULT NOT NULL,
    position int NOT NULL,
    value nvarchar(max) NOT NULL
)
