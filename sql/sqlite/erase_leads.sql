-- At most 1,000 rows: on SQL Server more rows in one statement would lock the whole table.
DELETE FROM bitrix_leads
WHERE Id IN (SELECT l.Id FROM bitrix_leads AS l WHERE l.member_id = @member_id LIMIT 1000)
