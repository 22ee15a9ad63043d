-- changes_insert.sql for one change, whose values are the parameters of outbox_add.sql; none where @change_kind is NULL.
INSERT INTO leadsync_changes (member_id, lead_id, revision, changed_at, change_kind, cause, fields)
SELECT @member_id, @sql_ID, @revision, @created_at, @change_kind, @cause, @changed_fields
WHERE @change_kind IS NOT NULL
