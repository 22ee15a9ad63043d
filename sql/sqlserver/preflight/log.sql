SELECT u.total_log_size_in_bytes AS bytes, u.used_log_space_in_bytes AS used,
    (SELECT MAX(f.growth) FROM sys.database_files AS f WHERE f.type = 1) AS growth
FROM sys.dm_db_log_space_usage AS u
