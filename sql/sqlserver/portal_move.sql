-- Other columns stay: a concurrent installation may have stored them.
UPDATE dbo.leadsync_portals SET domain = @domain, client_endpoint = @client_endpoint, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id
