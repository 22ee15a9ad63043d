DELETE f
FROM #stage_marks AS s
INNER LOOP JOIN dbo.leadsync_lead_fields AS f ON f.member_id = s.member_id AND f.lead_id = s.sql_ID
WHERE s.gone = 1
