DROP TABLE stage_fields
