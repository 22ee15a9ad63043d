DROP TABLE stage_cuts
