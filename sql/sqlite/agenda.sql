-- What there is to do for each active portal, for the owners of this process at once; each part is a seek. It may be
-- wrong for a moment.
SELECT
    p.member_id,
    EXISTS (
        SELECT 1
        FROM leadsync_runs AS r
        LEFT JOIN leadsync_owners AS o ON o.member_id = r.member_id
        WHERE r.member_id = p.member_id AND r.state IN ('requested', 'running')
            AND (r.state = 'requested' OR r.claimed_epoch < COALESCE(o.epoch, 0))
    ),
    EXISTS (SELECT 1 FROM bitrix_leads AS a WHERE a.member_id = p.member_id AND a.absent_since <= @until AND a.deleted_at IS NULL)
    OR EXISTS (SELECT 1 FROM bitrix_leads AS b WHERE b.member_id = p.member_id AND b.absent_since > @now AND b.deleted_at IS NULL),
    (SELECT o.created_at FROM leadsync_outbox AS o WHERE o.id = (SELECT MIN(f.id) FROM leadsync_outbox AS f WHERE f.member_id = p.member_id)),
    COALESCE((SELECT MAX(i.id) FROM leadsync_incidents AS i), 0)
FROM leadsync_portals AS p
WHERE p.state = 'active'
