-- Only where none is known: another one is never replaced by a callback.
UPDATE leadsync_portals SET token_hash = @token_hash, updated_at = @updated_at
WHERE member_id = @member_id AND token_hash = ''
