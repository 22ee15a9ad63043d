DELETE FROM dbo.leadsync_failures
WHERE member_id = @member_id AND lead_id IN (SELECT CONVERT(int, j.value) FROM OPENJSON(@ids) AS j)
