DROP TABLE stage_leads
