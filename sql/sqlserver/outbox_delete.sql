DELETE o
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.leadsync_outbox AS o ON o.id = CONVERT(bigint, j.value)
