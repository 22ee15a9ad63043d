INSERT INTO leadsync_portals (
    member_id, domain, state, client_endpoint, server_endpoint, webhook_url, token_hash, user_id, updated_at
)
SELECT
    @member_id, @domain, @state, @client_endpoint, @server_endpoint, @webhook_url, @token_hash, @user_id,
    @updated_at
WHERE NOT EXISTS (SELECT 1 FROM leadsync_portals AS t WHERE t.member_id = @member_id)
