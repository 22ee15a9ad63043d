DELETE FROM dbo.leadsync_callbacks
WHERE member_id = @member_id AND lead_id > @after AND lead_id <= @up_to AND received_at < CONVERT(datetimeoffset(3), @before, 127)
