-- What each kind of pass has compared: everything before the start of the newest that completed.
SELECT r.mode, MAX(r.started_at)
FROM dbo.leadsync_runs AS r
WHERE r.member_id = @member_id AND r.state = N'completed' AND r.dry_run = 0
GROUP BY r.mode
