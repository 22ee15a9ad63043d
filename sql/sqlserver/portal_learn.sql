-- Only where no token is stored: a callback never replaces one.
UPDATE dbo.leadsync_portals SET token_hash = @token_hash, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id AND token_hash = ''
