SELECT o.fields_read_at
FROM leadsync_owners AS o
WHERE o.member_id = @member_id
