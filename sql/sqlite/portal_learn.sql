-- Only where no token is stored: a callback never replaces one.
UPDATE leadsync_portals SET token_hash = @token_hash, updated_at = @updated_at
WHERE member_id = @member_id AND token_hash = ''
