-- What else an installation may have brought meanwhile stays.
UPDATE dbo.leadsync_portals SET domain = @domain, client_endpoint = @client_endpoint, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id
