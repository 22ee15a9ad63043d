CREATE TABLE #stage_phones (
    digits10 nvarchar(15) NOT NULL,
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    lead_id int NOT NULL,
    contact_id nvarchar(2000) NULL,
    position int NOT NULL,
    e164 nvarchar(24) NULL,
    extension nvarchar(8) NULL,
    repeated bit NOT NULL,
    closed bit NOT NULL,
    created_at nvarchar(40) NULL
)
