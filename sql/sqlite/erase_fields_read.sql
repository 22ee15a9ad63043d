-- Who serves the portal again reads its fields as if for the first time, and has met no problem yet.
UPDATE leadsync_owners SET fields_read_at = NULL, problem = NULL, problem_since = NULL, problem_parts = NULL WHERE member_id = @member_id
