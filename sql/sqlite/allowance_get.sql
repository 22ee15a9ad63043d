SELECT a.max_deletes
FROM leadsync_allowances AS a
WHERE a.member_id = @member_id AND a.until_at > @now
