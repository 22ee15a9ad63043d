-- Indexes by which loops find runs however many there are, and what LEADSYNC_KEEP needs to delete old rows.
-- INCLUDE: what the statements read is in the index, so that the server never prefers to read the table.
-- +goose Up

CREATE INDEX ix_leadsync_runs_state ON dbo.leadsync_runs (member_id, state, seq) INCLUDE (id, mode, dry_run, claimed_epoch, portal_at);

CREATE INDEX ix_leadsync_runs_mode ON dbo.leadsync_runs (member_id, mode, dry_run, seq);

CREATE INDEX ix_leadsync_runs_started_at ON dbo.leadsync_runs (member_id, mode, dry_run, state, started_at) INCLUDE (portal_at);

CREATE INDEX ix_leadsync_runs_finished_at ON dbo.leadsync_runs (finished_at) INCLUDE (id, member_id, mode, state, started_at);

CREATE INDEX ix_leadsync_incidents_to_at ON dbo.leadsync_incidents (to_at);

-- The call centre's own rows of bitrix_import_lead_error, which are never deleted, are those up to this Id.
INSERT INTO dbo.leadsync_settings (name, value)
SELECT N'own_failures_after', CONVERT(nvarchar(20), COALESCE(MAX(e.Id), 0)) FROM dbo.bitrix_import_lead_error AS e;

-- +goose Down

DELETE FROM dbo.leadsync_settings WHERE name = N'own_failures_after';

DROP INDEX ix_leadsync_incidents_to_at ON dbo.leadsync_incidents;

DROP INDEX ix_leadsync_runs_finished_at ON dbo.leadsync_runs;

DROP INDEX ix_leadsync_runs_started_at ON dbo.leadsync_runs;

DROP INDEX ix_leadsync_runs_mode ON dbo.leadsync_runs;

DROP INDEX ix_leadsync_runs_state ON dbo.leadsync_runs;
