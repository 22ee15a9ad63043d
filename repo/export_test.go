package repo

// MigrationLock is what keeps two replicas from migrating SQL Server at once.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN is what the driver gets to see of a URL.
var SQLServerDSN = sqlServerDSN
