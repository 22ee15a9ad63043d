-- Whether rows of an adopted database wait for a portal that may be this one. Where the seed has noted in bitrix_oauth
-- which portal it read, only that one may.
SELECT COUNT(*)
FROM bitrix_leads AS l
WHERE l.member_id = ''
    AND (
        EXISTS (SELECT 1 FROM bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id = @member_id)
        OR NOT EXISTS (SELECT 1 FROM bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id <> '')
    )
