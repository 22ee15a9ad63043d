package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
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
	JS     jetstream.JetStream

	data         *dataDir       // nil where a running service owns it
	broker       *broker.Broker // nil where NATS is not embedded in this process
	serviceToken leads.Secret   // of the embedded server
	nc           *nats.Conn
	startup      startup
	closers      []func() error
}

// Open opens data directory, database and NATS, in this order, for a process that owns
// the data directory.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	return openBackend(ctx, cfg, log, func(err error) error {
		return fmt.Errorf("%w; stop it, or give this process another directory by LEADSYNC_DATA_DIR", err)
	})
}

// Join opens the same for a command. Where a running service owns the data directory, the
// command uses its NATS.
func Join(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	return openBackend(ctx, cfg, log, func(error) error { return nil })
}

func openBackend(ctx context.Context, cfg Config, log *slog.Logger, inUse func(error) error) (_ *Backend, err error) {
	b := &Backend{Config: cfg, Log: log, Holder: holderName(), startup: newStartup(cfg, log)}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	b.data, err = openData(cfg.DataDir)
	switch {
	case errors.Is(err, errDataInUse):
		if err := inUse(err); err != nil {
			return b, err
		}
	case err != nil:
		return b, err
	default:
		b.closing(b.data.Close)
	}
	if err := b.openDatabase(ctx); err != nil {
		return b, err
	}
	return b, b.openNATS(ctx)
}

// Close closes what was opened, the last first.
func (b *Backend) Close() error {
	var errs []error
	for _, closer := range slices.Backward(b.closers) {
		errs = append(errs, closer())
	}
	b.closers = nil
	return errors.Join(errs...)
}

func (b *Backend) closing(f func() error) { b.closers = append(b.closers, f) }

func (b *Backend) openDatabase(ctx context.Context) error {
	db, err := OpenDatabase(ctx, b.Config, b.Log)
	if err != nil {
		return err
	}
	b.DB = db
	b.closing(db.Close)
	return b.startup.attempt(ctx, step{"database", func(ctx context.Context) error { return migrate(ctx, db, b.Log) }})
}

// OpenDatabase opens the database alone, for commands that need nothing else.
func OpenDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*repo.DB, error) {
	return repo.Open(ctx, repo.Config{
		URL: cfg.DatabaseURL, Lazy: cfg.TolerateOutages, SecretKey: cfg.SecretKey, SolutionField: cfg.SolutionField, PhoneRegion: cfg.PhoneRegion,
		Grace: cfg.grace(), DeleteFloor: cfg.Tuning.DeleteFloor, Now: cfg.Now, Logger: log,
	})
}

// migrate brings the tables up to date where the login may do that.
func migrate(ctx context.Context, db *repo.DB, log *slog.Logger) error {
	pending, err := db.MigrationPlan(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	applied, err := db.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("the tables are not up to date (%s) and could not be changed: %w; run `leadsync migrate` with a login that may create tables, or, where that was done, give this login its rights by deployments/sqlserver/grants.sql",
			strings.Join(pending, ", "), err)
	}
	if len(applied) > 0 {
		log.InfoContext(ctx, "tables are up to date", "applied", applied)
	}
	return nil
}

func (b *Backend) openNATS(ctx context.Context) error {
	if err := b.connect(); err != nil {
		return err
	}
	b.closing(func() error { b.nc.Close(); return nil })
	js, err := events.JetStream(b.nc)
	if err != nil {
		return err
	}
	b.JS = js
	return b.startup.attempt(ctx, step{"NATS", func(ctx context.Context) error { return events.Setup(ctx, js, b.Config.Replicas) }})
}

func (b *Backend) connect() (err error) {
	cfg := b.Config
	switch {
	case cfg.NATSURL != Embedded && cfg.TolerateOutages:
		b.nc, err = events.ConnectLater(cfg.NATSURL, cfg.NATSToken.Reveal())
	case cfg.NATSURL != Embedded:
		b.nc, err = events.Connect(cfg.NATSURL, cfg.NATSToken.Reveal())
	case b.data == nil:
		b.nc, err = joinRunning(cfg.DataDir)
	default:
		err = b.startBroker()
	}
	return err
}

// joinRunning connects to the NATS server of the service that owns the data directory.
func joinRunning(dir string) (*nats.Conn, error) {
	r, err := readRunning(dir)
	if err != nil {
		return nil, err
	}
	return events.Connect(r.NATSURL, r.NATSToken, broker.PrivateInbox())
}

// ConnectSubscriber connects to the service's NATS as one who only reads.
func ConnectSubscriber(cfg Config) (*nats.Conn, error) {
	if cfg.NATSURL != Embedded {
		return events.Connect(cfg.NATSURL, cfg.NATSToken.Reveal())
	}
	r, err := readRunning(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	return events.Connect(r.NATSURL, r.SubscriberToken)
}

func (b *Backend) startBroker() error {
	b.serviceToken = leads.Secret(rand.Text())
	server, err := broker.Start(broker.Config{
		Dir: b.data.file("nats"), Listen: b.Config.NATSListen, Token: b.Config.NATSToken.Reveal(),
		ServiceToken: b.serviceToken.Reveal(), Logger: b.Log,
	})
	if err != nil {
		return err
	}
	b.broker = server
	b.closing(func() error { server.Close(); return nil })
	b.nc, err = server.Connect(events.Options()...)
	return err
}

// NATSURL is where subscribers connect.
func (b *Backend) NATSURL() string {
	if b.broker != nil {
		return b.broker.URL()
	}
	return b.Config.NATSURL
}

// OwnerConfig is what owners of portals work with, of a service or of a command.
func (b *Backend) OwnerConfig(stats *consumers.Stats, wake func()) owner.Config {
	cfg, db := b.Config, b.DB
	return owner.Config{
		JS: b.JS, Holder: b.Holder, OAuth: cfg.OAuth(), CallbackURL: cfg.CallbackURL(), SolutionField: cfg.SolutionField,
		Mirror: owner.Mirror{
			Leads: db, Portals: db, Standing: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Repairs: db, Reports: db,
		},
		Grace: cfg.grace(), MinAge: cfg.Tuning.MinAge, TimeScale: cfg.Tuning.TimeScale, Now: cfg.Now, Stats: stats, Wake: wake, Log: b.Log,
	}
}

// NotifyOwner leaves a notice for the portal's owner.
func (b *Backend) NotifyOwner(ctx context.Context, portal leads.Portal, event events.PortalEvent) error {
	return events.PublishPortal(ctx, b.JS, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, At: b.Config.Now().UTC(), Event: event,
	})
}

func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}
