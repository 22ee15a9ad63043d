-- outbox_insert.sql for one change; none where @body is NULL.
INSERT INTO dbo.leadsync_outbox (member_id, lead_id, revision, body, card_in_row, created_at)
SELECT @member_id, @sql_ID, @revision, @body, @card_in_row, CONVERT(datetimeoffset(3), @created_at, 127)
WHERE @body IS NOT NULL
