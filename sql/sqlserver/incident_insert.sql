INSERT INTO dbo.leadsync_incidents (member_id, kind, from_at, to_at, detail)
VALUES (@member_id, @kind, CONVERT(datetimeoffset(3), @from_at, 127), CONVERT(datetimeoffset(3), @to_at, 127), @detail)
