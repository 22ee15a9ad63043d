SELECT g.member_id, g.access_token, g.refresh_token, g.expires_at, g.scope, g.user_id, g.client_id
FROM bitrix_oauth AS g
WHERE g.member_id = @member_id
ORDER BY g.Id DESC
LIMIT 1
