-- One process at a time uses a refresh token. A beginning older than @stale no longer counts: its process has crashed. Neither
-- does one later than @ahead: it was stored before the clock was set back.
UPDATE bitrix_oauth SET refresh_began_at = @now, refresh_began_by = @began_by
WHERE member_id = @member_id AND refresh_token_hash = @old_hash
    AND (refresh_began_at IS NULL OR refresh_began_by = @began_by OR refresh_began_at < @stale
        OR refresh_began_at > @ahead)
