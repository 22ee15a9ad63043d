UPDATE leadsync_portals SET client_id = @client_id, client_secret = @client_secret, updated_at = @updated_at
WHERE member_id = @member_id
