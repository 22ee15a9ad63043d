UPDATE leadsync_owners SET epoch = epoch + 1, owner = @owner, taken_at = @taken_at
WHERE member_id = @member_id
