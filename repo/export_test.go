package repo

// MigrationLock is what keeps two replicas from migrating SQL Server at once.
var MigrationLock = sqlServerDialect().locker
