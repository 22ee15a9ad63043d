-- The problem stays: an outage does not begin anew with each owner.
UPDATE leadsync_owners SET epoch = epoch + 1, owner = @owner, taken_at = @taken_at
WHERE member_id = @member_id
