-- The room in the files of data (type 0) and log (1). max_size is in pages of 8 KB, -1 is until the disk is full; growth 0 means that a
-- file does not grow. Of a file that is offline nobody knows what is used.
SELECT f.name, f.type, f.size * 8192.0 AS bytes, FILEPROPERTY(f.name, 'SpaceUsed') * 8192.0 AS used, f.max_size, f.growth
FROM sys.database_files AS f
WHERE f.type IN (0, 1)
