UPDATE leadsync_portals SET
    domain = @domain,
    state = @state,
    client_endpoint = @client_endpoint,
    server_endpoint = @server_endpoint,
    webhook_url = @webhook_url,
    token_hash = @token_hash,
    user_id = @user_id,
    client_id = @client_id,
    client_secret = @client_secret,
    updated_at = @updated_at
WHERE member_id = @member_id
