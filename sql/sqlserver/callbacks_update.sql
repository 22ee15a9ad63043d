UPDATE c SET event = j.event, received_at = CONVERT(datetimeoffset(3), j.received_at, 127)
FROM OPENJSON(@rows) WITH (
    lead_id int '$.lead_id', event nvarchar(64) '$.event', received_at nvarchar(40) '$.received_at'
) AS j
INNER LOOP JOIN dbo.leadsync_callbacks AS c ON c.member_id = @member_id AND c.lead_id = j.lead_id
WHERE c.received_at < CONVERT(datetimeoffset(3), j.received_at, 127)
