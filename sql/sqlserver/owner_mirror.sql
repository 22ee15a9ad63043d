UPDATE dbo.leadsync_owners SET
    mirror_state = @state,
    mirror_since = CONVERT(datetimeoffset(3), @since, 127),
    mirror_behind_since = CONVERT(datetimeoffset(3), @behind_since, 127),
    mirror_reason = @reason,
    missed_at = CONVERT(datetimeoffset(3), @missed_at, 127)
WHERE member_id = @member_id AND epoch = @epoch
