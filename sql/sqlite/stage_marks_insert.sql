INSERT INTO stage_marks (member_id, sql_ID, was_ticket, read_ticket, revision, absent_since, deleted_at, gone)
VALUES (@member_id, @sql_ID, @was_ticket, @read_ticket, @revision, @absent_since, @deleted_at, @gone)
