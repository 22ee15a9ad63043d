-- New tokens replace those of the same kind: an installer's replace another installer's. Rows without a hash belong to the
-- former program and its own application.
DELETE FROM bitrix_oauth
WHERE member_id = @member_id AND refresh_token_hash IS NOT NULL AND COALESCE(holder_kind, '') = @holder_kind
