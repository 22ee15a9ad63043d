DROP TABLE temp.stage_marks
