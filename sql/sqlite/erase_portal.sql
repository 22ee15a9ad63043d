DELETE FROM leadsync_portals WHERE member_id = @member_id
