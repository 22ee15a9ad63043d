-- Who holds the lock that a request of this process waits for: one row, whose first column says whether the login may know.
-- Without the permission the views show a login its own session alone. HOST_ID is the number of the client's process. Times are in the server's zone, hence seconds.
SELECT TOP (1)
    may.see,
    COALESCE(r.blocking_session_id, 0),
    COALESCE(b.login_name, N''),
    COALESCE(b.host_name, N''),
    COALESCE(b.program_name, N''),
    COALESCE(b.status, N''),
    COALESCE(b.open_transaction_count, 0),
    COALESCE(DATEDIFF(SECOND, COALESCE(t.began, b.last_request_start_time), GETDATE()), 0),
    COALESCE(DATEDIFF(SECOND, b.last_request_end_time, GETDATE()), 0),
    COALESCE(o.blocking_session_id, 0)
FROM (
    SELECT CASE
        WHEN HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1
            OR HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER PERFORMANCE STATE') = 1
            OR (CONVERT(int, SERVERPROPERTY(N'EngineEdition')) = 5 AND HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DATABASE STATE') = 1)
            THEN 1
        ELSE 0
    END AS see
) AS may
LEFT JOIN sys.dm_exec_sessions AS ours
    ON ours.host_process_id = CONVERT(int, HOST_ID()) AND ours.host_name = HOST_NAME() AND ours.program_name = APP_NAME()
LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = ours.session_id AND r.blocking_session_id <> 0
LEFT JOIN sys.dm_exec_sessions AS b ON b.session_id = r.blocking_session_id
LEFT JOIN sys.dm_exec_requests AS o ON o.session_id = b.session_id
OUTER APPLY (
    SELECT MIN(a.transaction_begin_time) AS began
    FROM sys.dm_tran_session_transactions AS s
    INNER JOIN sys.dm_tran_active_transactions AS a ON a.transaction_id = s.transaction_id
    WHERE s.session_id = b.session_id
) AS t
ORDER BY r.wait_time DESC
