-- Sessions that hold locks on the tables.
SELECT t.name AS [table], l.request_session_id AS session, s.program_name AS program, s.login_name AS login, s.host_name AS host
FROM sys.tables AS t
INNER JOIN sys.dm_tran_locks AS l ON l.resource_type = N'OBJECT' AND l.resource_associated_entity_id = t.object_id AND l.resource_database_id = DB_ID()
INNER JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id
WHERE l.request_session_id <> @@SPID AND t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
GROUP BY t.name, l.request_session_id, s.program_name, s.login_name, s.host_name
