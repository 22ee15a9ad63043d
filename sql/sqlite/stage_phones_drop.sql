DROP TABLE temp.stage_phones
