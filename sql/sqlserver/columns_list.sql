-- The text columns of the call centre's tables as they are: an adopted table may have narrower ones than its own script creates.
-- max_length counts bytes, two for each unit of nvarchar; -1 is max.
SELECT
    t.name, c.name,
    CASE WHEN c.max_length > 0 AND y.name IN (N'nvarchar', N'nchar') THEN c.max_length / 2 ELSE c.max_length END,
    c.is_nullable
FROM sys.columns AS c
INNER JOIN sys.types AS y ON y.user_type_id = c.system_type_id
INNER JOIN sys.tables AS t ON t.object_id = c.object_id
WHERE y.name IN (N'nvarchar', N'nchar', N'varchar', N'char')
    AND t.object_id IN (OBJECT_ID(N'dbo.bitrix_leads'), OBJECT_ID(N'dbo.bitrix_lead_contacts'), OBJECT_ID(N'dbo.bitrix_lead_solution'))
