-- Each portal's own application, how it was accepted, and the plan of its request budget.
-- +goose Up

-- client_secret is encrypted like tokens; NULL or '' means the application of the settings.
ALTER TABLE leadsync_portals ADD COLUMN client_id TEXT;
ALTER TABLE leadsync_portals ADD COLUMN client_secret TEXT;

-- admission: 'first' for the portal that was accepted because there was no other, otherwise the member_id.
ALTER TABLE leadsync_portals ADD COLUMN admission TEXT;
UPDATE leadsync_portals SET admission = member_id WHERE admission IS NULL;
CREATE UNIQUE INDEX ux_leadsync_portals_admission ON leadsync_portals (admission);

ALTER TABLE leadsync_owners ADD COLUMN budget_plan TEXT;
