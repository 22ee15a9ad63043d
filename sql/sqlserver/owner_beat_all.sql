-- A portal whose row a transaction holds is left out, and noted with the next look: the others do not wait for it.
UPDATE o SET beat_at = CONVERT(datetimeoffset(3), @beat_at, 127)
OUTPUT inserted.member_id
FROM OPENJSON(@member_ids) AS j
INNER LOOP JOIN dbo.leadsync_owners AS o WITH (READPAST) ON o.member_id = j.value COLLATE DATABASE_DEFAULT
