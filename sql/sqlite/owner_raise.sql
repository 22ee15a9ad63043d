-- A new owner has not met a problem yet.
UPDATE leadsync_owners SET epoch = epoch + 1, owner = @owner, taken_at = @taken_at, problem = NULL, problem_since = NULL
WHERE member_id = @member_id
