-- Some findings of a run, in the order in which they were found; '' is every kind.
SELECT TOP (@limit) f.id, f.run_id, f.member_id, f.lead_id, f.kind, f.fields, f.found_at, f.repaired, f.cause, f.seconds_behind
FROM dbo.leadsync_findings AS f
WHERE f.run_id = @run_id AND f.repaired <> 'pending' AND f.id > @after AND (@kind = '' OR f.kind = @kind)
ORDER BY f.id
