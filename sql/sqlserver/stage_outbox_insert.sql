INSERT INTO #stage_outbox (member_id, lead_id, revision, body, created_at)
VALUES (@member_id, @lead_id, @revision, @body, @created_at)
