-- With the admission 'first' a portal is accepted only if there is no other. The unique index on admission lets only one of
-- two concurrent portals in.
INSERT INTO dbo.leadsync_portals (
    member_id, domain, state, client_endpoint, server_endpoint, webhook_url, token_hash, user_id, updated_at,
    client_id, client_secret, admission
)
SELECT
    @member_id, @domain, @state, @client_endpoint, @server_endpoint, @webhook_url, @token_hash, @user_id,
    CONVERT(datetimeoffset(3), @updated_at, 127), @client_id, @client_secret, @admission
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.leadsync_portals AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.member_id = @member_id OR @admission = 'first'
)
