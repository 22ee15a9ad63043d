-- With the admission 'first' a portal is accepted only if there is no other. The unique index on admission lets only one of
-- two concurrent portals in.
INSERT INTO leadsync_portals (
    member_id, domain, state, client_endpoint, server_endpoint, webhook_url, token_hash, user_id, updated_at,
    client_id, client_secret, admission
)
SELECT
    @member_id, @domain, @state, @client_endpoint, @server_endpoint, @webhook_url, @token_hash, @user_id,
    @updated_at, @client_id, @client_secret, @admission
WHERE NOT EXISTS (
    SELECT 1 FROM leadsync_portals AS t WHERE t.member_id = @member_id OR @admission = 'first'
)
