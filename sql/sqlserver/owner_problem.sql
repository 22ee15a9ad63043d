UPDATE dbo.leadsync_owners SET problem = @problem, problem_since = CONVERT(datetimeoffset(3), @problem_since, 127)
WHERE member_id = @member_id AND epoch = @epoch
