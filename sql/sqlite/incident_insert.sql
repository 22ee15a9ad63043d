INSERT INTO leadsync_incidents (member_id, kind, from_at, to_at, detail)
VALUES (@member_id, @kind, @from_at, @to_at, @detail)
