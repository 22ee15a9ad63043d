package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
)

// MigrationLock lets one process migrate SQL Server at a time.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN adds the defaults to a URL.
var SQLServerDSN = sqlServerDSN

// LoadBy sets how batches are written: all of them through temporary tables, none of them, or
// as repo chooses.
func (d *DB) LoadBy(way string) {
	switch way {
	case "staged":
		d.dialect.small = 0
	case "listed":
		d.dialect.small = batchSize
	}
}

// OpenThrough opens a database whose connections to the server pass through wrap: it sees what
// the driver gets.
func OpenThrough(ctx context.Context, cfg Config, wrap func(driver.Connector) driver.Connector) (*DB, error) {
	cfg.Lazy = true
	db, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		connector, err := sqliteConnector(path, "_txlock=immediate")
		if err != nil {
			return nil, err
		}
		db.read = sql.OpenDB(wrap(connector))
	} else {
		dsn, _, err := sqlServerDSN(cfg.URL, 0)
		if err != nil {
			return nil, err
		}
		connector, err := mssql.NewConnector(dsn)
		if err != nil {
			return nil, err
		}
		db.read = sql.OpenDB(declaring{wrap(connector)})
	}
	db.write = db.read
	return db, nil
}

// ErrStale says that rows changed after they were read.
var ErrStale = errStale

// StoreUndecided writes a snapshot, skipping the decision whether it is newer than the row
// with that ticket.
func (d *DB) StoreUndecided(ctx context.Context, s *leads.Snapshot, was leads.Ticket) error {
	e := entry{outcome: new(leads.Outcome), snapshot: s, row: &storedRow{id: s.LeadID, ticket: was}, decision: decision{action: writeRow, ticket: s.Ticket}}
	return d.tryOnce(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return d.store(ctx, tx, []entry{e}, d.dialect.load)
	})
}
