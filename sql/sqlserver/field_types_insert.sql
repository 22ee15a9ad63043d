INSERT INTO dbo.leadsync_field_types (member_id, field, type, multiple, label)
VALUES (@member_id, @field, @type, @multiple, @label)
