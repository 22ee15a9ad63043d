DELETE f
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_failures AS f ON f.member_id = @member_id AND f.lead_id = CONVERT(int, j.value)
