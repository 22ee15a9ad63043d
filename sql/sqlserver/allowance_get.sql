SELECT a.max_deletes
FROM dbo.leadsync_allowances AS a
WHERE a.member_id = @member_id AND a.until_at > CONVERT(datetimeoffset(3), @now, 127)
