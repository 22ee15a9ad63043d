DELETE FROM bitrix_leads WHERE Id IN (SELECT j.value FROM json_each(@ids) AS j)
