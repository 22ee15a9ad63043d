-- An application of its own for each portal, who let a portal in, which plan its budget follows.
-- +goose Up

-- client_secret is sealed like tokens are; NULL or '' is the application of the settings.
ALTER TABLE leadsync_portals ADD COLUMN client_id TEXT;
ALTER TABLE leadsync_portals ADD COLUMN client_secret TEXT;

-- admission: 'first' of the one that came in because there was no other, else the member_id.
ALTER TABLE leadsync_portals ADD COLUMN admission TEXT;
UPDATE leadsync_portals SET admission = member_id WHERE admission IS NULL;
CREATE UNIQUE INDEX ux_leadsync_portals_admission ON leadsync_portals (admission);

ALTER TABLE leadsync_owners ADD COLUMN budget_plan TEXT;
