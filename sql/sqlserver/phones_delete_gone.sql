DELETE p
FROM #stage_marks AS s
INNER LOOP JOIN dbo.leadsync_phones AS p ON p.member_id = s.member_id AND p.lead_id = s.sql_ID
WHERE s.gone = 1
