DELETE FROM leadsync_outbox
WHERE id IN (SELECT t.id FROM leadsync_outbox AS t WHERE t.member_id = @member_id LIMIT 1000)
