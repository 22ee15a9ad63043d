-- Whether an adopted database has rows without a portal that this portal may get. If bitrix_oauth names the portal that the
-- former program read, only that portal may.
SELECT COUNT(*)
FROM dbo.bitrix_leads AS l
WHERE l.member_id = ''
    AND (
        EXISTS (SELECT 1 FROM dbo.bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id = @member_id)
        OR NOT EXISTS (SELECT 1 FROM dbo.bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id <> '')
    )
