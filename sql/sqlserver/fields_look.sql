SELECT f.lead_id, f.field, f.position, f.value
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_lead_fields AS f ON f.member_id = @member_id AND f.lead_id = CONVERT(int, j.value)
