DELETE FROM dbo.leadsync_allowances
WHERE member_id = @member_id
