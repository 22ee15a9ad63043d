-- What is only announced again has no change_kind.
INSERT INTO dbo.leadsync_changes (member_id, lead_id, revision, changed_at, change_kind, cause, fields)
SELECT s.member_id, s.sql_ID, s.revision, CONVERT(datetimeoffset(3), s.announced_at, 127), s.change_kind, s.cause, s.changed_fields
FROM #stage_leads AS s
WHERE s.change_kind IS NOT NULL
UNION ALL
SELECT o.member_id, o.lead_id, o.revision, CONVERT(datetimeoffset(3), o.created_at, 127), o.change_kind, o.cause, o.changed_fields
FROM #stage_outbox AS o
WHERE o.change_kind IS NOT NULL
