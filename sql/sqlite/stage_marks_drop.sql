DROP TABLE stage_marks
