DROP TABLE stage_contacts
