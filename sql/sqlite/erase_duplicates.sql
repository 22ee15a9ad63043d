DELETE FROM leadsync_duplicate_leads
WHERE Id IN (SELECT t.Id FROM leadsync_duplicate_leads AS t WHERE t.member_id = @member_id LIMIT 1000)
