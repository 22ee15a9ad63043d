-- Incidents without a member_id concern every portal.
SELECT i.member_id, i.kind, i.from_at, i.to_at, i.detail
FROM dbo.leadsync_incidents AS i
WHERE i.member_id IN (@member_id, '') AND i.to_at >= CONVERT(datetimeoffset(3), @since, 127)
ORDER BY i.from_at
