DELETE FROM leadsync_changes
WHERE id IN (SELECT c.id FROM leadsync_changes AS c WHERE c.member_id = @member_id LIMIT 1000)
