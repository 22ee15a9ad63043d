-- The application's own user first: its tokens stay valid when employees leave. Rows without a hash belong to the former
-- program and its own application.
SELECT
    g.member_id, g.access_token, g.refresh_token, g.expires_at, g.scope, g.user_id, g.client_id, g.holder_kind,
    g.refresh_began_at
FROM dbo.bitrix_oauth AS g
WHERE g.member_id = @member_id AND g.refresh_token_hash IS NOT NULL
ORDER BY CASE WHEN g.holder_kind = 'system' THEN 0 ELSE 1 END, g.Id DESC
