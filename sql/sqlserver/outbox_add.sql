-- outbox_insert.sql for one change; none where @body is NULL.
INSERT INTO dbo.leadsync_outbox (member_id, lead_id, revision, body, created_at)
SELECT @member_id, @sql_ID, @revision, @body, CONVERT(datetimeoffset(3), @created_at, 127)
WHERE @body IS NOT NULL
