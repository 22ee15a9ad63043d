-- A thousand at a time: more rows in one statement would lock the whole table on SQL Server.
DELETE FROM bitrix_leads
WHERE Id IN (SELECT l.Id FROM bitrix_leads AS l WHERE l.member_id = @member_id LIMIT 1000)
