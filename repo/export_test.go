package repo

// MigrationLock is what keeps two replicas from migrating SQL Server at once.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN is what the driver gets to see of a URL.
var SQLServerDSN = sqlServerDSN

// LoadBy makes every batch be staged one way: by bulk copy, by prepared inserts, or by
// whichever repo takes by itself.
func (d *DB) LoadBy(way string) {
	d.dialect.load = map[string]loader{"bulk": loadBulk, "prepared": loadPrepared, "chosen": loadSQLServer}[way]
}
