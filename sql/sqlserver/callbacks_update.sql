UPDATE c SET event = j.event, received_at = CONVERT(datetimeoffset(3), j.received_at, 127)
FROM dbo.leadsync_callbacks AS c
INNER JOIN OPENJSON(@rows) WITH (
    lead_id int '$.lead_id', event nvarchar(64) '$.event', received_at nvarchar(40) '$.received_at'
) AS j ON j.lead_id = c.lead_id
WHERE c.member_id = @member_id AND c.received_at < CONVERT(datetimeoffset(3), j.received_at, 127)
