DELETE p
FROM dbo.leadsync_phones AS p
WHERE p.member_id = @member_id
    AND p.lead_id IN (SELECT CONVERT(int, j.value) FROM OPENJSON(@ids) AS j)
