DROP TABLE stage_solutions
