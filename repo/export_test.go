package repo

import (
	"context"
	"database/sql"

	"leadsync/leads"
)

// MigrationLock is what keeps two replicas from migrating SQL Server at once.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN is what the driver gets to see of a URL.
var SQLServerDSN = sqlServerDSN

// LoadBy makes every batch be staged one way: by bulk copy, by prepared inserts, or by
// whichever repo takes by itself.
func (d *DB) LoadBy(way string) {
	d.dialect.load = map[string]loader{"bulk": loadBulk, "prepared": loadPrepared, "chosen": loadSQLServer}[way]
}

// ErrStale says that rows were changed since they were read.
var ErrStale = errStale

// StoreUndecided writes a snapshot as if it had been decided that it is news for a row
// with that ticket.
func (d *DB) StoreUndecided(ctx context.Context, s *leads.Snapshot, was leads.Ticket) error {
	it := item{snapshot: s, row: &current{id: s.LeadID, ticket: was}, step: step{act: put, ticket: s.Ticket}}
	return d.once(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return d.store(ctx, tx, []item{it}, d.dialect.load)
	})
}
