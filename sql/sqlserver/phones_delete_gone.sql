DELETE p
FROM dbo.leadsync_phones AS p
INNER JOIN #stage_marks AS s ON s.member_id = p.member_id AND s.sql_ID = p.lead_id
WHERE s.gone = 1
