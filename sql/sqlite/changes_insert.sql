-- What is only announced again has no change_kind.
INSERT OR FAIL INTO leadsync_changes (member_id, lead_id, revision, changed_at, change_kind, cause, fields)
SELECT s.member_id, s.sql_ID, s.revision, s.announced_at, s.change_kind, s.cause, s.changed_fields
FROM stage_leads AS s
WHERE s.change_kind IS NOT NULL
UNION ALL
SELECT o.member_id, o.lead_id, o.revision, o.created_at, o.change_kind, o.cause, o.changed_fields
FROM stage_outbox AS o
WHERE o.change_kind IS NOT NULL
