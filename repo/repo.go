// Package repo is the mirror in SQL: the leads as the portals returned them last, the
// owners of portals, tokens, the outbox, runs and findings. SQL Server and SQLite behave
// the same (package repotest checks that); dialect holds the differences. The package knows
// nothing about NATS, HTTP or Bitrix24.
package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/guide"
	"leadsync/leads"
)

// ErrUnavailable says that the database could not be reached, was too busy, or cannot
// write at present. The data to be written is not the cause: try later.
var ErrUnavailable = leads.ErrUnavailable

// ErrNotMigrated says that the database lacks tables or migrations of this version.
var ErrNotMigrated = guide.At(guide.Migrate, errors.New("database is not migrated: run leadsync migrate"))

// ErrRights says that the database denies the login something that leadsync does.
var ErrRights = guide.At(guide.Rights, errors.New("the login lacks a right: run deployments/sqlserver/grants.sql, and add the login to the role leadsync_service; "+
	"to create or change tables, run leadsync migrate with another login"))

// ErrNoJSON says that the database cannot read JSON, in which statements receive lists of
// ids. Databases that were moved from an older server can be in that state.
var ErrNoJSON = errors.New("compatibility level of the database is below 130, want 130 (SQL Server 2016) or higher: " +
	"run in that database ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 130")

// ErrNotOwner says that another process owns the portal by now. Nothing was written.
var ErrNotOwner = leads.ErrNotOwner

// Config describes the database and how the mirror keeps it.
type Config struct {
	URL           string        // "sqlite:<path>" or "sqlserver://user:password@host:1433?database=name"
	Schema        string        // of the tables on SQL Server; "" is dbo
	SecretKey     []byte        // 32 bytes that encrypt tokens and webhook URLs at rest; nil stores plain text
	SolutionField string        // the UF_CRM_* field copied to bitrix_lead_solution; "" copies none (see Refill)
	HistoryValues bool          // leadsync_changes keeps the old and the new value of each field, too
	PhoneRegion   string        // country of phone numbers without a country code, ISO 3166-1; "" is RU
	Grace         time.Duration // how long a lead must be absent to count as deleted; 0 is 60 s
	Lazy          bool          // do not ping the database in Open
	// AnswerLimit is how long SQL Server may take for a transaction or a read of the live path;
	// then the connection counts as dead, as after a firewall dropped it without a word, and the
	// transaction runs once more on another one. Passes and what else reads or writes much may
	// take five times as long, waiting for a lock half as long; migrations have no limit. 0 is a
	// minute.
	AnswerLimit time.Duration
	// DeleteFloor is the number of deletions that the breaker never stops; 0 is 100.
	DeleteFloor int64
	// AdoptBatch is how many rows of an adopted database one transaction changes; 0 is 2,000.
	AdoptBatch int
	// OutboxBytes is how many bytes of cards Outbox returns at once, and the rest of the last one; 0 is 16 MiB.
	OutboxBytes int
	Now         func() time.Time // nil is time.Now
	Logger      *slog.Logger     // nil discards the log
}

// DB is an open mirror, safe for concurrent use.
type DB struct {
	dialect dialect
	read    *sql.DB
	write   *sql.DB // the same as read on SQL Server
	sealer  sealer
	rules   leads.Rules
	grace   time.Duration
	callers prepared
	sent    *sent
	adopted cachedColumns

	limits      limits
	doubt       func()                    // see opened
	silentSince func(time.Time) time.Time // see opened
	migrations  func() (*sql.DB, func() error)
	trouble     trouble

	deleteFloor int64 // see breaker.go
	adoptBatch  int   // see batches.go
	outboxBytes int   // see outbox.go

	historyValues bool

	now func() time.Time
	log *slog.Logger
}

// Open opens the database and pings it. It creates a missing SQLite file, but does not
// migrate. Its errors say what was tried, without the password, and what to do.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	sealer, err := newSealer(cfg.SecretKey)
	if err != nil {
		return nil, err
	}
	db := &DB{
		sealer: sealer, rules: leads.Rules{Region: cfg.PhoneRegion, Solution: cfg.SolutionField}, grace: cfg.Grace,
		deleteFloor: cfg.DeleteFloor, historyValues: cfg.HistoryValues, now: cfg.Now, log: cfg.Logger,
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
	if db.adoptBatch = cfg.AdoptBatch; db.adoptBatch == 0 {
		db.adoptBatch = adoptBatch
	}
	if db.outboxBytes = cfg.OutboxBytes; db.outboxBytes == 0 {
		db.outboxBytes = outboxBytes
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if err := db.connect(ctx, cfg); err != nil {
		return nil, err
	}
	return db, nil
}

// connect opens the pools and, unless lazy, pings the database.
func (d *DB) connect(ctx context.Context, cfg Config) error {
	opened, err := openURL(cfg.URL, limitsOf(cfg.AnswerLimit))
	if err != nil {
		return err
	}
	d.dialect, d.read, d.write, d.sent = opened.dialect, opened.read, opened.write, opened.sent
	if d.dialect, err = d.dialect.in(cfg.Schema); err != nil {
		return errors.Join(err, d.Close())
	}
	d.limits, d.doubt, d.silentSince, d.migrations = opened.limits, opened.doubt, opened.silentSince, opened.migrations
	if cfg.Lazy {
		return nil
	}
	if err := d.write.PingContext(ctx); err != nil {
		return errors.Join(
			guide.At(guide.DatabaseDown, AdvisedError{fmt.Errorf("open %s: %w: %w", opened.place, ErrUnavailable, err), opened.dialect.hint(err)}),
			d.Close())
	}
	return nil
}

// Close closes all connections.
func (d *DB) Close() error {
	if d.write == d.read {
		return d.read.Close()
	}
	return errors.Join(d.write.Close(), d.read.Close())
}

// Dialect returns "sqlite" or "sqlserver".
func (d *DB) Dialect() string { return d.dialect.name }

// Ping checks that the database answers; otherwise the error is ErrUnavailable.
func (d *DB) Ping(ctx context.Context) error {
	_, err := bounded(ctx, d, func(ctx context.Context) (struct{}, error) { return struct{}{}, d.read.PingContext(ctx) })
	return d.explain(ctx, err)
}
