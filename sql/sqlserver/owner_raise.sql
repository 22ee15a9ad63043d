-- The problem stays: an outage does not begin anew with each owner.
UPDATE dbo.leadsync_owners
SET epoch = epoch + 1, owner = @owner, taken_at = CONVERT(datetimeoffset(3), @taken_at, 127)
WHERE member_id = @member_id
