package repo

import (
	"context"
	"database/sql"
	"testing"

	"leadsync/leads"
)

// SetHostile puts settings before the contract of every session that the test opens.
func SetHostile(tb testing.TB, settings string) {
	tb.Helper()
	was := hostile
	hostile = settings
	tb.Cleanup(func() { hostile = was })
}

// SessionPool opens one connection that keeps the service's contract, or that of migrations.
// It is reset each time that it is used.
func SessionPool(tb testing.TB, url string, migrations bool) *sql.DB {
	tb.Helper()
	dsn, _, err := sqlServerDSN(url)
	if err != nil {
		tb.Fatal(err)
	}
	l := limitsOf(0)
	l.rest = 0
	text := serviceContract(l)
	if migrations {
		text = migrationContract
	}
	c, err := newConnector(dsn, text, l, nil)
	if err != nil {
		tb.Fatal(err)
	}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = pool.Close() })
	return pool
}

// Connect opens one session with this contract.
func Connect(tb testing.TB, url, contract string) error {
	tb.Helper()
	dsn, _, err := sqlServerDSN(url)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := newConnector(dsn, contract, limitsOf(0), nil)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := c.Connect(tb.Context())
	if err != nil {
		return err
	}
	return conn.Close()
}

// ErrUncounted says that a session counts no rows.
var ErrUncounted = errUncounted

// MigrationLock lets one process migrate SQL Server at a time.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN adds the defaults to a URL.
var SQLServerDSN = sqlServerDSN

// LoadBy sets how batches are loaded: by bulk copy, by prepared inserts, or by the way that
// repo chooses.
func (d *DB) LoadBy(way string) {
	d.dialect.load = map[string]loader{"bulk": loadBulk, "prepared": loadPrepared, "chosen": loadSQLServer}[way]
}

// ErrStale says that rows changed after they were read.
var ErrStale = errStale

// StoreUndecided writes a snapshot, skipping the decision whether it is newer than the row
// with that ticket.
func (d *DB) StoreUndecided(ctx context.Context, s *leads.Snapshot, was leads.Ticket) error {
	e := entry{snapshot: s, row: &storedRow{id: s.LeadID, ticket: was}, decision: decision{action: writeRow, ticket: s.Ticket}}
	return d.tryOnce(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return d.store(ctx, tx, []entry{e}, d.dialect.load)
	})
}
