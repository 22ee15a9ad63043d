DROP TABLE temp.stage_outbox
