-- A new owner has not met a problem yet.
UPDATE dbo.leadsync_owners
SET epoch = epoch + 1, owner = @owner, taken_at = CONVERT(datetimeoffset(3), @taken_at, 127), problem = NULL, problem_since = NULL
WHERE member_id = @member_id
