SELECT o.fields_read_at
FROM dbo.leadsync_owners AS o
WHERE o.member_id = @member_id
