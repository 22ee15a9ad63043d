UPDATE leadsync_owners SET beat_at = @beat_at
WHERE member_id = @member_id
