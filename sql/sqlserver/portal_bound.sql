UPDATE dbo.leadsync_portals SET bound_events = @bound_events, bound_at = CONVERT(datetimeoffset(3), @bound_at, 127)
WHERE member_id = @member_id
