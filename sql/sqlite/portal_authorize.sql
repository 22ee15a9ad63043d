-- Fields that the authorization lacks stay: a concurrent authorization may have stored them.
UPDATE leadsync_portals SET
    domain = @domain,
    state = @state,
    client_endpoint = @client_endpoint,
    server_endpoint = @server_endpoint,
    token_hash = CASE WHEN @token_hash = '' THEN token_hash ELSE @token_hash END,
    user_id = CASE WHEN @user_id = 0 THEN user_id ELSE @user_id END,
    updated_at = @updated_at
WHERE member_id = @member_id
