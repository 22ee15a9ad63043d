UPDATE leadsync_owners SET problem = @problem, problem_since = @problem_since
WHERE member_id = @member_id AND epoch = @epoch
