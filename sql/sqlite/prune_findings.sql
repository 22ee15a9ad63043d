DELETE FROM leadsync_findings
WHERE id IN (SELECT f.id FROM leadsync_findings AS f WHERE f.run_id = @run_id LIMIT @limit)
