INSERT INTO dbo.leadsync_findings (run_id, member_id, lead_id, kind, fields, found_at, repaired, cause, seconds_behind)
VALUES (@run_id, @member_id, @lead_id, @kind, @fields, CONVERT(datetimeoffset(3), @found_at, 127), @repaired, @cause, @seconds_behind)
