UPDATE leadsync_owners SET problem = @problem, problem_since = @problem_since, problem_parts = @problem_parts
WHERE member_id = @member_id AND epoch = @epoch
