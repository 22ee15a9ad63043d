UPDATE leadsync_owners SET beat_at = @beat_at
WHERE member_id IN (SELECT j.value FROM json_each(@member_ids) AS j)
RETURNING member_id
