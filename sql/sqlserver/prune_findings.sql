DELETE TOP (@limit) FROM dbo.leadsync_findings
WHERE run_id = @run_id
