INSERT INTO #stage_outbox (member_id, lead_id, revision, body, created_at, change_kind, cause, changed_fields)
VALUES (@member_id, @lead_id, @revision, @body, @created_at, @change_kind, @cause, @changed_fields)
