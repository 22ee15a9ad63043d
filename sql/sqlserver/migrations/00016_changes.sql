-- What changed when, lead by lead, for reports and for people who ask why a lead is as it is.
-- +goose Up

-- leadsync_changes: one row for each revision, written with the lead's row and deleted after LEADSYNC_KEEP_CHANGES. fields is a list of
-- {"field", "old", "new"}, without the values unless LEADSYNC_HISTORY_VALUES is on; NULL where the lead was added or deleted as a whole.
IF OBJECT_ID(N'dbo.leadsync_changes', N'U') IS NULL
CREATE TABLE dbo.leadsync_changes (
    id bigint IDENTITY(1,1) NOT NULL,
    member_id nvarchar(64) NOT NULL,
    lead_id int NOT NULL,
    revision bigint NOT NULL,
    changed_at datetimeoffset(3) NOT NULL,
    change_kind nvarchar(16) NOT NULL,
    cause nvarchar(32) NOT NULL,
    fields nvarchar(max) NULL,
    CONSTRAINT pk_leadsync_changes PRIMARY KEY (id)
);

CREATE INDEX ix_leadsync_changes_lead_id ON dbo.leadsync_changes (member_id, lead_id, id);

-- leadsync why asks for the findings of one lead.
CREATE INDEX ix_leadsync_findings_lead_id ON dbo.leadsync_findings (member_id, lead_id);

IF OBJECT_ID(N'dbo.bitrix_lead_changes') IS NOT NULL
DROP VIEW dbo.bitrix_lead_changes;

-- bitrix_lead_changes: one row for each field that changed; one without a field where the lead was added or deleted.
-- +goose StatementBegin
CREATE VIEW dbo.bitrix_lead_changes
AS
SELECT
    c.id,
    c.member_id,
    c.lead_id,
    c.revision,
    c.changed_at,
    c.change_kind,
    c.cause,
    f.field,
    f.old_value,
    f.new_value
FROM dbo.leadsync_changes AS c
OUTER APPLY OPENJSON(c.fields) WITH (
    field nvarchar(128) '$.field', old_value nvarchar(max) '$.old', new_value nvarchar(max) '$.new'
) AS f;
-- +goose StatementEnd

-- +goose Down

DROP VIEW dbo.bitrix_lead_changes;

DROP INDEX ix_leadsync_findings_lead_id ON dbo.leadsync_findings;

DROP TABLE dbo.leadsync_changes;
