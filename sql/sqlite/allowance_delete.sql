DELETE FROM leadsync_allowances
WHERE member_id = @member_id
