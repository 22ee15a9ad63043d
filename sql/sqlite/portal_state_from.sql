-- Only of the record that was looked at: whoever has written it since knew better.
UPDATE leadsync_portals SET state = @state, updated_at = @updated_at
WHERE member_id = @member_id AND state = @was_state AND updated_at = @was_updated_at
