DROP TABLE temp.stage_leads
