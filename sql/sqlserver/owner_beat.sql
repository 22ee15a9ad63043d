UPDATE dbo.leadsync_owners SET beat_at = CONVERT(datetimeoffset(3), @beat_at, 127)
WHERE member_id = @member_id
