-- The newest of a lead.
SELECT c.revision, c.changed_at, c.change_kind, c.cause, c.fields
FROM leadsync_changes AS c
WHERE c.member_id = @member_id AND c.lead_id = @lead_id
ORDER BY c.id DESC
LIMIT @limit
