UPDATE dbo.leadsync_portals SET client_id = @client_id, client_secret = @client_secret, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id
