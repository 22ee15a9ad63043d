-- What there is to do for each active portal, for the owners of this process at once; each part is a seek. It may be
-- wrong for a moment. So it reads what is not committed yet, and waits for no other transaction.
SELECT
    p.member_id,
    CASE WHEN EXISTS (
        SELECT 1
        FROM dbo.leadsync_runs AS r WITH (NOLOCK)
        LEFT JOIN dbo.leadsync_owners AS o WITH (NOLOCK) ON o.member_id = r.member_id
        WHERE r.member_id = p.member_id AND r.state IN ('requested', 'running')
            AND (r.state = 'requested' OR r.claimed_epoch < COALESCE(o.epoch, 0))
    ) THEN 1 ELSE 0 END,
    CASE WHEN EXISTS (
        SELECT 1
        FROM dbo.bitrix_leads AS a WITH (NOLOCK)
        WHERE a.member_id = p.member_id AND a.absent_since <= CONVERT(datetimeoffset(3), @until, 127) AND a.deleted_at IS NULL
    ) OR EXISTS (
        SELECT 1
        FROM dbo.bitrix_leads AS b WITH (NOLOCK)
        WHERE b.member_id = p.member_id AND b.absent_since > CONVERT(datetimeoffset(3), @now, 127) AND b.deleted_at IS NULL
    ) THEN 1 ELSE 0 END,
    (
        SELECT o.created_at FROM dbo.leadsync_outbox AS o WITH (NOLOCK)
        WHERE o.id = (SELECT MIN(f.id) FROM dbo.leadsync_outbox AS f WITH (NOLOCK) WHERE f.member_id = p.member_id)
    ),
    COALESCE((SELECT MAX(i.id) FROM dbo.leadsync_incidents AS i WITH (NOLOCK)), 0)
FROM dbo.leadsync_portals AS p WITH (NOLOCK)
WHERE p.state = 'active'
