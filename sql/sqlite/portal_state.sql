UPDATE leadsync_portals SET state = @state, updated_at = @updated_at
WHERE member_id = @member_id
