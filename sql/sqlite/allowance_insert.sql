INSERT INTO leadsync_allowances (member_id, max_deletes, until_at)
VALUES (@member_id, @max_deletes, @until_at)
