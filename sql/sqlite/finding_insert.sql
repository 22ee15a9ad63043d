INSERT INTO leadsync_findings (run_id, member_id, lead_id, kind, fields, found_at, repaired, cause, seconds_behind)
VALUES (@run_id, @member_id, @lead_id, @kind, @fields, @found_at, @repaired, @cause, @seconds_behind)
