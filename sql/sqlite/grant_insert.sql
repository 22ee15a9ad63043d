INSERT INTO bitrix_oauth (
    member_id, domain, access_token, refresh_token, refresh_token_hash, expires_in, scope, user_id, client_id,
    expires_at, dateexec, holder_kind
)
VALUES (
    @member_id, (SELECT p.domain FROM leadsync_portals AS p WHERE p.member_id = @member_id),
    @access_token, @refresh_token, @refresh_token_hash, @expires_in, @scope, @user_id, @client_id,
    @expires_at, @dateexec, @holder_kind
)
