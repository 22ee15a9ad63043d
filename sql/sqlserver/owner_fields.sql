UPDATE dbo.leadsync_owners SET fields_read_at = CONVERT(datetimeoffset(3), @read_at, 127)
WHERE member_id = @member_id AND epoch = @epoch
