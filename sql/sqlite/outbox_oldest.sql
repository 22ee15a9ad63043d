SELECT MIN(o.created_at) FROM leadsync_outbox AS o
