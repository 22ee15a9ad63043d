-- What changed when, lead by lead, for reports and for people who ask why a lead is as it is.
-- +goose Up

-- leadsync_changes: one row for each revision, written with the lead's row and deleted after LEADSYNC_KEEP_CHANGES. fields is a list of
-- {"field", "old", "new"}, without the values unless LEADSYNC_HISTORY_VALUES is on; NULL where the lead was added or deleted as a whole.
CREATE TABLE leadsync_changes (
    id INTEGER NOT NULL CONSTRAINT pk_leadsync_changes PRIMARY KEY AUTOINCREMENT,
    member_id TEXT NOT NULL,
    lead_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    changed_at TEXT NOT NULL,
    change_kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    fields TEXT NULL
);
CREATE INDEX ix_leadsync_changes_lead_id ON leadsync_changes (member_id, lead_id, id);

-- leadsync why asks for the findings of one lead.
CREATE INDEX ix_leadsync_findings_lead_id ON leadsync_findings (member_id, lead_id);

-- bitrix_lead_changes: one row for each field that changed; one without a field where the lead was added or deleted.
CREATE VIEW bitrix_lead_changes AS
SELECT
    c.id,
    c.member_id,
    c.lead_id,
    c.revision,
    c.changed_at,
    c.change_kind,
    c.cause,
    f.value ->> 'field' AS field,
    f.value ->> 'old' AS old_value,
    f.value ->> 'new' AS new_value
FROM leadsync_changes AS c
LEFT JOIN json_each(c.fields) AS f;

-- +goose Down

DROP VIEW bitrix_lead_changes;
DROP INDEX ix_leadsync_findings_lead_id;
DROP TABLE leadsync_changes;
