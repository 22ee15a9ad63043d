-- Other columns stay: a concurrent installation may have stored them.
UPDATE leadsync_portals SET domain = @domain, client_endpoint = @client_endpoint, updated_at = @updated_at
WHERE member_id = @member_id
