-- phones_insert.sql for a list of rows.
INSERT INTO dbo.leadsync_phones (
    digits10, member_id, lead_id, contact_id, position, e164, extension, repeated, closed, created_at
)
SELECT
    j.digits10, j.member_id, j.lead_id, j.contact_id, j.position, j.e164, j.extension, j.repeated, j.closed,
    CONVERT(datetimeoffset(0), j.created_at, 127)
FROM OPENJSON(@phones) WITH (
    digits10 nvarchar(max) '$.digits10', member_id nvarchar(64) '$.member_id', lead_id int '$.lead_id',
    contact_id nvarchar(max) '$.contact_id', position int '$.position', e164 nvarchar(max) '$.e164',
    extension nvarchar(max) '$.extension', repeated bit '$.repeated', closed bit '$.closed',
    created_at nvarchar(40) '$.created_at'
) AS j
