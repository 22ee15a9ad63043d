-- Replaces only the pair that was used: of concurrent rotations the first succeeds.
UPDATE bitrix_oauth SET
    access_token = @access_token,
    refresh_token = @refresh_token,
    refresh_token_hash = @refresh_token_hash,
    expires_in = @expires_in,
    scope = @scope,
    user_id = @user_id,
    client_id = @client_id,
    expires_at = @expires_at,
    dateexec = @dateexec,
    refresh_began_at = NULL,
    refresh_began_by = NULL
WHERE member_id = @member_id AND refresh_token_hash = @old_hash
