SELECT COUNT(*) FROM leadsync_outbox
