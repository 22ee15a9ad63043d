DELETE FROM leadsync_findings
WHERE id IN (SELECT t.id FROM leadsync_findings AS t WHERE t.member_id = @member_id LIMIT 1000)
