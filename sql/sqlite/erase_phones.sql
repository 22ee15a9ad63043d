DELETE FROM leadsync_phones
WHERE Id IN (SELECT t.Id FROM leadsync_phones AS t WHERE t.member_id = @member_id LIMIT 1000)
