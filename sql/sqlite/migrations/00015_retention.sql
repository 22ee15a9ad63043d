-- Indexes by which loops find runs however many there are, and what LEADSYNC_KEEP needs to delete old rows.
-- +goose Up

CREATE INDEX ix_leadsync_runs_state ON leadsync_runs (member_id, state, seq);
CREATE INDEX ix_leadsync_runs_mode ON leadsync_runs (member_id, mode, dry_run, seq);
CREATE INDEX ix_leadsync_runs_started_at ON leadsync_runs (member_id, mode, dry_run, state, started_at);
CREATE INDEX ix_leadsync_runs_finished_at ON leadsync_runs (finished_at);

CREATE INDEX ix_leadsync_incidents_to_at ON leadsync_incidents (to_at);

-- The call centre's own rows of bitrix_import_lead_error, which are never deleted, are those up to this Id.
INSERT INTO leadsync_settings (name, value)
SELECT 'own_failures_after', CAST(COALESCE(MAX(e.Id), 0) AS TEXT) FROM bitrix_import_lead_error AS e;

-- +goose Down

DELETE FROM leadsync_settings WHERE name = 'own_failures_after';
DROP INDEX ix_leadsync_incidents_to_at;
DROP INDEX ix_leadsync_runs_finished_at;
DROP INDEX ix_leadsync_runs_started_at;
DROP INDEX ix_leadsync_runs_mode;
DROP INDEX ix_leadsync_runs_state;
