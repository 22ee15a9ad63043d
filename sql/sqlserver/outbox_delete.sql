DELETE FROM dbo.leadsync_outbox
WHERE id IN (SELECT CONVERT(bigint, j.value) FROM OPENJSON(@ids) AS j)
