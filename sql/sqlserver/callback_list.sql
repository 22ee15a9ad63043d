SELECT c.lead_id, c.event, c.received_at
FROM dbo.leadsync_callbacks AS c
WHERE c.member_id = @member_id AND c.lead_id IN (SELECT CONVERT(int, j.value) FROM OPENJSON(@ids) AS j)
ORDER BY c.lead_id
