SELECT c.lead_id, c.event, c.received_at
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_callbacks AS c ON c.member_id = @member_id AND c.lead_id = CONVERT(int, j.value)
ORDER BY c.lead_id
