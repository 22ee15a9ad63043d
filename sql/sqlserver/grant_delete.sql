-- A user's tokens replace those of the same kind: an installer's another installer's. What has no hash is the seed's, of
-- its own application.
DELETE FROM dbo.bitrix_oauth
WHERE member_id = @member_id AND refresh_token_hash IS NOT NULL AND COALESCE(holder_kind, '') = @holder_kind
