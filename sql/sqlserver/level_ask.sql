-- OPENJSON is an unknown object below compatibility level 130. The level itself says less: stand-ins for SQL Server call
-- themselves older than they are.
SELECT COUNT(*) FROM OPENJSON(N'[1]')
