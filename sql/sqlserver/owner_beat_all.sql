UPDATE o SET beat_at = CONVERT(datetimeoffset(3), @beat_at, 127)
FROM OPENJSON(@member_ids) AS j
INNER LOOP JOIN dbo.leadsync_owners AS o ON o.member_id = j.value COLLATE DATABASE_DEFAULT
