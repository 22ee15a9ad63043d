package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/events/broker"
	"leadsync/journal"
	"leadsync/owner"
	"leadsync/repo"
)

// Backend is what everything that touches leads stands on: the database and NATS, with
// the data directory where they are embedded.
type Backend struct {
	Config Config
	Log    *slog.Logger
	Holder string // names this process in leases
	DB     *repo.DB
	// Journal keeps what happens to leads; nil where LEADSYNC_JOURNAL_KEEP is off.
	Journal *journal.Journal
	NATS    *NATS

	data   *dataDir // nil where a running service owns it
	pairs  *pairs   // nil, as data
	tables tables

	mu      sync.Mutex
	closers []func() error
}

// Open opens data directory, database and NATS, in this order, for a process that owns
// the data directory.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	b, err := own(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	return b.ready(ctx)
}

// Join opens the same for a command. Where a running service owns the data directory, the
// command uses its NATS. It only looks at streams that others use, too. See Config.MissingData.
func Join(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	b, err := hold(ctx, cfg, log, false)
	if err != nil {
		return nil, err
	}
	return b.ready(ctx)
}

// own takes the data directory and the handle of the database, which works without the
// server; another process that has the directory is an error.
func own(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	return hold(ctx, cfg, log, true)
}

// hold is own for a process that works on leads, and for a command, which need not own the
// directory.
func hold(ctx context.Context, cfg Config, log *slog.Logger, owns bool) (_ *Backend, err error) {
	b := &Backend{Config: cfg, Log: log, Holder: holderName()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	var readers []broker.Subscriber
	if _, missing := os.Stat(cfg.DataDir); owns || missing == nil {
		b.data, err = openData(ctx, cfg.DataDir)
	}
	switch {
	case errors.Is(err, errDataInUse) && owns:
		return nil, fmt.Errorf("%w; stop it, or give this process another directory by LEADSYNC_DATA_DIR", err)
	case errors.Is(err, errDataInUse):
	case err != nil:
		return nil, err
	case b.data == nil: // a command beside a service elsewhere
		b.Config.JournalKeep = 0
	default:
		b.closing(b.data.Close)
		if readers, err = subscribers(cfg, b.data); err != nil {
			return nil, err
		}
	}
	b.NATS = &NATS{cfg: cfg, data: b.data, subscribers: readers, setsUp: owns, closing: b.closing, log: log}
	b.openJournal(ctx)
	if b.DB, err = OpenDatabase(ctx, cfg, log); err != nil {
		return nil, err
	}
	b.closing(b.DB.Close)
	if b.data != nil {
		b.pairs = openPairs(b.DB, b.DB, pairFiles{dir: b.data.file("refreshed"), seal: b.DB}, log)
	}
	return b, nil
}

// ready does all steps at once, or closes the backend.
func (b *Backend) ready(ctx context.Context) (*Backend, error) {
	for _, st := range append(b.databaseSteps(), b.NATS.steps()...) {
		if err := st.do(ctx); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

func (b *Backend) databaseSteps() []step {
	return []step{{name: database, unlimited: true, do: func(ctx context.Context) error { return b.tables.make(ctx, b.DB, b.Log) }}}
}

// Close closes what was opened, the last first.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, closer := range slices.Backward(b.closers) {
		errs = append(errs, closer())
	}
	b.closers = nil
	return errors.Join(errs...)
}

func (b *Backend) closing(f func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closers = append(b.closers, f)
}

// OpenDatabase opens the database alone, for commands that need nothing else.
func OpenDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*repo.DB, error) {
	return repo.Open(ctx, repo.Config{
		URL: cfg.DatabaseURL, Schema: cfg.DatabaseSchema, Lazy: cfg.TolerateOutages, SecretKey: cfg.SecretKey, SolutionField: cfg.SolutionField, PhoneRegion: cfg.PhoneRegion, HistoryValues: cfg.HistoryValues,
		Grace: cfg.grace(), DeleteFloor: cfg.Tuning.DeleteFloor, Now: cfg.Now, Logger: log,
	})
}

// OwnerConfig is what owners of portals work with, of a service or of a command.
func (b *Backend) OwnerConfig(stats *consumers.Stats, wake func()) owner.Config {
	cfg, db := b.Config, b.DB
	var tokens bitrix24.Grants = db
	if b.pairs != nil {
		tokens = b.pairs
	}
	return owner.Config{
		Bus: b.NATS.Bus(), Holder: b.Holder, OAuth: cfg.OAuth(), CallbackURL: cfg.CallbackURL(), SolutionField: cfg.SolutionField,
		Mirror: owner.Recorded(owner.Mirror{
			Leads: db, Portals: db, Standing: db, Tokens: tokens, Runs: db, Rows: db, Ledger: db, Evidence: db, Status: db, Repairs: db, Reports: db, Agenda: db,
		}, b.Journal, cfg.Now), Journal: b.Journal,
		Grace: cfg.grace(), MinAge: cfg.Tuning.MinAge, TimeScale: cfg.Tuning.TimeScale, Now: cfg.Now, Stats: stats, Wake: wake, Log: b.Log,
	}
}

func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}
