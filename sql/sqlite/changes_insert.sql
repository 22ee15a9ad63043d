-- What is only announced again has no change_kind.
INSERT INTO leadsync_changes (member_id, lead_id, revision, changed_at, change_kind, cause, fields)
SELECT s.member_id, s.lead_id, s.revision, s.created_at, s.change_kind, s.cause, s.changed_fields
FROM stage_outbox AS s
WHERE s.change_kind IS NOT NULL
