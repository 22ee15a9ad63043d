SELECT TOP (1) g.member_id, g.access_token, g.refresh_token, g.expires_at, g.scope, g.user_id, g.client_id
FROM dbo.bitrix_oauth AS g
WHERE g.member_id = @member_id
ORDER BY g.Id DESC
