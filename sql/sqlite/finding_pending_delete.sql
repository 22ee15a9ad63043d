DELETE FROM leadsync_findings
WHERE run_id = @run_id AND repaired = 'pending' AND lead_id <= @up_to
