-- The free room of the data files. max_size is in pages of 8 KB, -1 is until the disk is full; growth 0 means that a file does not grow.
SELECT f.name, f.size * 8192.0 AS bytes, FILEPROPERTY(f.name, 'SpaceUsed') * 8192.0 AS used, f.max_size, f.growth
FROM sys.database_files AS f
WHERE f.type = 0
