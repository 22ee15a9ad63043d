UPDATE dbo.leadsync_owners SET
    mirror_state = @state,
    mirror_since = @since,
    mirror_behind_since = @behind_since,
    mirror_reason = @reason,
    missed_at = @missed_at
WHERE member_id = @member_id AND epoch = @epoch
