UPDATE dbo.leadsync_portals SET state = @state, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id
