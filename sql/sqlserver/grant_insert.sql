INSERT INTO dbo.bitrix_oauth (
    member_id, domain, access_token, refresh_token, refresh_token_hash, expires_in, scope, user_id, client_id,
    expires_at, dateexec, holder_kind
)
VALUES (
    @member_id, (SELECT p.domain FROM dbo.leadsync_portals AS p WHERE p.member_id = @member_id),
    @access_token, @refresh_token, @refresh_token_hash, @expires_in, @scope, @user_id, @client_id,
    CONVERT(datetimeoffset(3), @expires_at, 127), CONVERT(datetime2(0), @dateexec, 126), @holder_kind
)
