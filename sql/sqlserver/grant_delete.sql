-- A user's tokens replace those of the same kind: an installer's another installer's.
DELETE FROM dbo.bitrix_oauth WHERE member_id = @member_id AND COALESCE(holder_kind, '') = @holder_kind
