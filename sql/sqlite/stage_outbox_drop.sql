DROP TABLE stage_outbox
