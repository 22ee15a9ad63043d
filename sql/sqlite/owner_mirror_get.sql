SELECT o.mirror_state, o.mirror_since, o.missed_at
FROM leadsync_owners AS o
WHERE o.member_id = @member_id
