-- What each kind of pass has compared: everything before the start of the newest that completed. Each kind is a seek.
SELECT m.mode, m.started_at
FROM (
    SELECT k.mode, (
        SELECT MAX(r.started_at) FROM leadsync_runs AS r
        WHERE r.member_id = @member_id AND r.mode = k.mode AND r.dry_run = 0 AND r.state = 'completed'
    ) AS started_at
    FROM (SELECT 'import' AS mode UNION ALL SELECT 'full' UNION ALL SELECT 'changed' UNION ALL SELECT 'ids') AS k
) AS m
WHERE m.started_at IS NOT NULL
