INSERT INTO #stage_fields (member_id, lead_id, field, position, value)
VALUES (@member_id, @lead_id, @field, @position, @value)
