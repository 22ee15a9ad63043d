DELETE FROM leadsync_incidents
WHERE id IN (SELECT i.id FROM leadsync_incidents AS i WHERE i.to_at < @before ORDER BY i.to_at LIMIT @limit)
