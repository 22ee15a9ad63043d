DROP TABLE temp.stage_contacts
