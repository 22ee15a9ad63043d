-- The oldest run that is requested, or that a former owner (of an earlier epoch) left running. Owners ask twice a second: the
-- states are a seek of their own, however many runs have ended.
SELECT TOP (1) r.id, r.state, r.claimed_epoch, COALESCE(o.epoch, 0)
FROM dbo.leadsync_runs AS r WITH (UPDLOCK)
LEFT JOIN dbo.leadsync_owners AS o ON o.member_id = r.member_id
WHERE r.member_id = @member_id AND r.state IN ('requested', 'running')
    AND (r.state = 'requested' OR r.claimed_epoch < COALESCE(o.epoch, 0))
ORDER BY r.seq
