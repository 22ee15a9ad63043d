DELETE TOP (@limit) FROM dbo.leadsync_incidents
WHERE to_at < CONVERT(datetimeoffset(3), @before, 127)
