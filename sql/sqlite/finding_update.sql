UPDATE leadsync_findings SET repaired = @repaired
WHERE run_id = @run_id AND lead_id = @lead_id AND repaired IN ('missing', 'withheld')
