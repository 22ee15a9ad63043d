DELETE FROM leadsync_failures
WHERE member_id = @member_id
    AND lead_id IN (SELECT t.lead_id FROM leadsync_failures AS t WHERE t.member_id = @member_id LIMIT 1000)
