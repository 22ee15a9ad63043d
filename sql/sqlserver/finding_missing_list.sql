-- Leads that were absent once and must be read again.
SELECT TOP (@limit) f.lead_id
FROM dbo.leadsync_findings AS f
WHERE f.run_id = @run_id AND f.repaired IN ('missing', 'withheld') AND f.lead_id > @after
ORDER BY f.lead_id
