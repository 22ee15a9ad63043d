DELETE FROM dbo.leadsync_changes
WHERE id > @after AND id <= @up_to AND changed_at < CONVERT(datetimeoffset(3), @before, 127)
