DELETE FROM dbo.leadsync_runs WHERE member_id = @member_id
