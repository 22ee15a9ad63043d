INSERT INTO leadsync_owners (member_id, epoch, owner, taken_at)
SELECT @member_id, 0, @owner, @taken_at
WHERE NOT EXISTS (SELECT 1 FROM leadsync_owners AS o WHERE o.member_id = @member_id)
