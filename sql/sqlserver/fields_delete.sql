DELETE f
FROM OPENJSON(@fields_gone) WITH (
    member_id nvarchar(64) '$.member_id', lead_id int '$.lead_id', field nvarchar(128) '$.field',
    position int '$.position'
) AS j
INNER LOOP JOIN dbo.leadsync_lead_fields AS f
    ON f.member_id = j.member_id COLLATE DATABASE_DEFAULT AND f.lead_id = j.lead_id
    AND f.field = j.field COLLATE DATABASE_DEFAULT AND f.position = j.position
