DELETE f
FROM dbo.leadsync_lead_fields AS f
INNER JOIN #stage_marks AS s ON s.member_id = f.member_id AND s.sql_ID = f.lead_id
WHERE s.gone = 1
