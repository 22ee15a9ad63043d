-- One process at a time uses a refresh token. A beginning older than @stale no longer counts: its process has crashed. Neither
-- does one later than @ahead: it was stored before the clock was set back.
UPDATE dbo.bitrix_oauth SET refresh_began_at = CONVERT(datetimeoffset(3), @now, 127), refresh_began_by = @began_by
WHERE member_id = @member_id AND refresh_token_hash = @old_hash
    AND (refresh_began_at IS NULL OR refresh_began_by = @began_by OR refresh_began_at < CONVERT(datetimeoffset(3), @stale, 127)
        OR refresh_began_at > CONVERT(datetimeoffset(3), @ahead, 127))
