-- One at a time spends a refresh token; whoever began and was not heard of again is not waited for for ever. A beginning that
-- lies ahead by more than a refresh may take was noted before the clock was set back.
UPDATE dbo.bitrix_oauth SET refresh_began_at = CONVERT(datetimeoffset(3), @now, 127), refresh_began_by = @began_by
WHERE member_id = @member_id AND refresh_token_hash = @old_hash
    AND (refresh_began_at IS NULL OR refresh_began_by = @began_by OR refresh_began_at < CONVERT(datetimeoffset(3), @stale, 127)
        OR refresh_began_at > CONVERT(datetimeoffset(3), @ahead, 127))
