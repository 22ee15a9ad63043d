-- LOOP: with UPDLOCK and HOLDLOCK a scan would lock the whole table.
INSERT INTO dbo.leadsync_callbacks (member_id, lead_id, event, received_at)
SELECT @member_id, j.lead_id, j.event, CONVERT(datetimeoffset(3), j.received_at, 127)
FROM OPENJSON(@rows) WITH (
    lead_id int '$.lead_id', event nvarchar(64) '$.event', received_at nvarchar(40) '$.received_at'
) AS j
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.leadsync_callbacks AS c WITH (UPDLOCK, HOLDLOCK)
    WHERE c.member_id = @member_id AND c.lead_id = j.lead_id
)
OPTION (LOOP JOIN)
