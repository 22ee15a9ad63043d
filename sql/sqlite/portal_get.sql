SELECT
    p.member_id, p.domain, p.state, p.client_endpoint, p.server_endpoint, p.webhook_url, p.token_hash,
    p.user_id, p.updated_at, p.client_id, p.client_secret
FROM leadsync_portals AS p
WHERE p.member_id = @member_id
