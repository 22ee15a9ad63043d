DELETE l
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_leads AS l ON l.Id = CONVERT(int, j.value)
