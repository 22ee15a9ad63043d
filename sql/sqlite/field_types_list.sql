SELECT t.field, t.type, t.multiple, t.label
FROM leadsync_field_types AS t
WHERE t.member_id = @member_id
ORDER BY t.field
