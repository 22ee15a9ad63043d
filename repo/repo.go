// Package repo is the mirror in SQL: the leads as the portals showed them last, who owns
// a portal, tokens, the outbox, runs and findings. SQL Server and SQLite behave the same
// (repotest says what that is); where they differ stands in one dialect. It knows
// nothing of NATS, HTTP or Bitrix24.
package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/leads"
)

// ErrUnavailable says that the database could not be reached, or was too busy, or is in
// no state to take writes. Nothing of it is the fault of what was to be written: try
// later.
var ErrUnavailable = leads.ErrUnavailable

// ErrNotMigrated says that the database lacks tables or migrations of this version.
var ErrNotMigrated = errors.New("database is not migrated: run leadsync migrate")

// ErrNoJSON says that the database cannot read JSON, by which many rows are named at once.
// It is found where a database came from an older server.
var ErrNoJSON = errors.New("the database's compatibility level is below 130 (SQL Server 2016): " +
	"raise it by running in that database ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 130")

// ErrNotOwner says that a portal has a newer owner than the one that drew a ticket.
// Nothing was written.
var ErrNotOwner = leads.ErrNotOwner

// Config says which database, and how.
type Config struct {
	URL           string        // "sqlite:<path>" or "sqlserver://user:password@host:1433?database=name"
	SecretKey     []byte        // 32 bytes, seals tokens and webhook URLs at rest; nil keeps them plain
	SolutionField string        // the UF_CRM_* field kept in bitrix_lead_solution; "" none (see Refill)
	PhoneRegion   string        // country of phone numbers without a country code; "" is RU
	Grace         time.Duration // how long a lead must have been absent to count as deleted; 0 is 60 s
	Lazy          bool          // do not ask the database at the start whether it is there
	// DeleteFloor is of how many rows deletions are never stopped as too many; 0 is 100.
	DeleteFloor int64
	Now         func() time.Time // nil is time.Now
	Logger      *slog.Logger     // nil is silent
}

// DB is an open mirror, safe for concurrent use.
type DB struct {
	dialect dialect
	read    *sql.DB
	write   *sql.DB // the same as read on SQL Server
	seal    sealer
	rules   leads.Rules
	grace   time.Duration
	callers prepared

	deleteFloor int64 // see breaker.go
	now         func() time.Time
	log         *slog.Logger
}

// Open opens the database and pings it; it creates a missing SQLite file but migrates
// nothing. Its errors say what was tried, without the password, and what to do.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	seal, err := newSealer(cfg.SecretKey)
	if err != nil {
		return nil, err
	}
	db := &DB{
		seal: seal, rules: leads.Rules{Region: cfg.PhoneRegion, Solution: cfg.SolutionField}, grace: cfg.Grace,
		deleteFloor: cfg.DeleteFloor, now: cfg.Now, log: cfg.Logger,
	}
	if db.grace == 0 {
		db.grace = time.Minute
	}
	if db.rules.Region == "" {
		db.rules.Region = phoneRegion
	}
	if db.deleteFloor == 0 {
		db.deleteFloor = deleteFloor
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if err := db.connect(ctx, cfg.URL, cfg.Lazy); err != nil {
		return nil, err
	}
	return db, nil
}

// connect opens the pools and, unless lazy, asks the database whether it is there.
func (d *DB) connect(ctx context.Context, url string, lazy bool) error {
	opened, err := openURL(url)
	if err != nil {
		return err
	}
	d.dialect, d.read, d.write = opened.dialect, opened.read, opened.write
	if lazy {
		return nil
	}
	if err := d.write.PingContext(ctx); err != nil {
		return errors.Join(
			fmt.Errorf("open %s: %w: %w: %s", opened.place, ErrUnavailable, err, opened.dialect.advise(err)),
			d.Close())
	}
	return nil
}

// Close ends all connections.
func (d *DB) Close() error {
	if d.write == d.read {
		return d.read.Close()
	}
	return errors.Join(d.write.Close(), d.read.Close())
}

// Dialect is "sqlite" or "sqlserver".
func (d *DB) Dialect() string { return d.dialect.name }

// Ping asks whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	return d.explain(ctx, d.read.PingContext(ctx))
}
