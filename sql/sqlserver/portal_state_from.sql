-- Only if the record is still the one that the caller read: a later write is based on newer facts.
UPDATE dbo.leadsync_portals SET state = @state, updated_at = CONVERT(datetimeoffset(3), @updated_at, 127)
WHERE member_id = @member_id AND state = @was_state AND updated_at = CONVERT(datetimeoffset(3), @was_updated_at, 127)
