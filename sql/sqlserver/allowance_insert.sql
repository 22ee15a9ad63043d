INSERT INTO dbo.leadsync_allowances (member_id, max_deletes, until_at)
VALUES (@member_id, @max_deletes, CONVERT(datetimeoffset(3), @until_at, 127))
