-- At most 1,000 rows: more rows in one statement would lock the whole table.
DELETE TOP (1000) FROM dbo.bitrix_leads WHERE member_id = @member_id
