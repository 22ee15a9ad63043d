UPDATE dbo.leadsync_portals SET
    domain = @domain,
    state = @state,
    client_endpoint = @client_endpoint,
    server_endpoint = @server_endpoint,
    webhook_url = @webhook_url,
    token_hash = @token_hash,
    user_id = @user_id,
    client_id = @client_id,
    client_secret = @client_secret,
    updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id
