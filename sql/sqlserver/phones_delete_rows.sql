DELETE p
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_phones AS p ON p.member_id = @member_id AND p.lead_id = CONVERT(int, j.value)
