-- Only if the record is still the one that the caller read: a later write is based on newer facts.
UPDATE leadsync_portals SET state = @state, updated_at = @updated_at
WHERE member_id = @member_id AND state = @was_state AND updated_at = @was_updated_at
