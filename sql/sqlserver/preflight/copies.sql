-- Tables whose changes something else reads: change data capture and replication.
SELECT t.name AS [table], CONVERT(int, t.is_tracked_by_cdc) AS cdc,
    CASE WHEN t.is_replicated = 1 OR t.is_published = 1 OR t.is_merge_published = 1 OR t.is_schema_published = 1 THEN 1 ELSE 0 END AS replicated,
    (SELECT COUNT(*) FROM sys.columns AS c WHERE c.object_id = t.object_id AND TYPE_NAME(c.system_type_id) = N'ntext') AS texts
FROM sys.tables AS t
WHERE t.schema_id = SCHEMA_ID(N'dbo')
    AND t.name IN (N'bitrix_leads', N'bitrix_lead_contacts', N'bitrix_lead_solution', N'bitrix_import_lead_error', N'bitrix_lead_runtime', N'bitrix_oauth')
    AND (t.is_tracked_by_cdc = 1 OR t.is_replicated = 1 OR t.is_published = 1 OR t.is_merge_published = 1 OR t.is_schema_published = 1)
