-- The database's settings.
SELECT d.collation_name, d.compatibility_level, CONVERT(int, d.is_read_committed_snapshot_on) AS rcsi, d.recovery_model_desc AS recovery,
    CONVERT(int, d.is_read_only) AS read_only, CONVERT(int, d.is_cdc_enabled) AS cdc, SCHEMA_ID(N'dbo') AS schema_id
FROM sys.databases AS d
WHERE d.name = DB_NAME()
