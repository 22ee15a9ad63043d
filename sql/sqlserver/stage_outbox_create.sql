CREATE TABLE #stage_outbox (
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    revision bigint NOT NULL,
    body nvarchar(max) NOT NULL,
    created_at nvarchar(40) NOT NULL,
    change_kind nvarchar(16) NULL,
    cause nvarchar(32) NULL,
    changed_fields nvarchar(max) NULL
)
