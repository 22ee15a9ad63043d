UPDATE leadsync_portals SET bound_events = @bound_events, bound_at = @bound_at
WHERE member_id = @member_id
