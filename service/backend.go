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
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/repo"
	"leadsync/retry"
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

	data         *dataDir     // nil where a running service owns it
	serviceToken leads.Secret // of the embedded server
	subscribers  []broker.Subscriber
	setsUp       bool // this process may make and change streams
	nats         atomic.Pointer[natsSide]

	mu      sync.Mutex
	closers []func() error
}

// natsSide is the connection to NATS, and the server where it is embedded in this process.
type natsSide struct {
	nc     *nats.Conn
	bus    *events.Bus
	broker *broker.Broker
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
// command uses its NATS. It only looks at streams that others use, too.
func Join(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	b, err := hold(ctx, cfg, log, func(error) error { return nil })
	if err != nil {
		return nil, err
	}
	return b.ready(ctx)
}

// own takes the data directory and the handle of the database, which works without the
// server; another process that has the directory is an error.
func own(ctx context.Context, cfg Config, log *slog.Logger) (*Backend, error) {
	b, err := hold(ctx, cfg, log, func(err error) error {
		return fmt.Errorf("%w; stop it, or give this process another directory by LEADSYNC_DATA_DIR", err)
	})
	if err == nil {
		b.setsUp = true
	}
	return b, err
}

// hold is own where inUse decides about a directory that another process has.
func hold(ctx context.Context, cfg Config, log *slog.Logger, inUse func(error) error) (_ *Backend, err error) {
	b := &Backend{Config: cfg, Log: log, Holder: holderName()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	b.data, err = openData(cfg.DataDir)
	switch {
	case errors.Is(err, errDataInUse):
		if err := inUse(err); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		b.closing(b.data.Close)
		if b.subscribers, err = subscribers(cfg, b.data); err != nil {
			return nil, err
		}
	}
	b.openJournal(ctx)
	if b.DB, err = OpenDatabase(ctx, cfg, log); err != nil {
		return nil, err
	}
	b.closing(b.DB.Close)
	return b, nil
}

// ready does all steps at once, or closes the backend.
func (b *Backend) ready(ctx context.Context) (*Backend, error) {
	for _, st := range append(b.databaseSteps(), b.natsSteps()...) {
		if err := st.do(ctx); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

func (b *Backend) databaseSteps() []step {
	return []step{{name: database, unlimited: true, do: func(ctx context.Context) error { return migrate(ctx, b.DB, b.Log) }}}
}

func (b *Backend) natsSteps() []step {
	return []step{{name: "NATS", do: b.connect}, {name: "NATS", do: b.prepareStreams}}
}

// Bus is leadsync's part of NATS; nil until a service that is starting has got it.
func (b *Backend) Bus() *events.Bus {
	if n := b.nats.Load(); n != nil {
		return n.bus
	}
	return nil
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

// migrate brings leadsync's own tables up to date where the login may do that. Tables of a
// call centre are left alone: only a person has them taken over, by leadsync migrate.
func migrate(ctx context.Context, db *repo.DB, log *slog.Logger) error {
	pending, err := db.MigrationPlan(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	applied, err := db.Migrate(ctx)
	if errors.Is(err, repo.ErrNotAdopted) {
		return err
	}
	if err != nil {
		return fmt.Errorf("the tables are not up to date (%s) and could not be changed: %w; run `leadsync migrate` with a login that may create tables, or, where that was done, give this login its rights by deployments/sqlserver/grants.sql",
			strings.Join(pending, ", "), err)
	}
	if len(applied) > 0 {
		log.InfoContext(ctx, "tables are up to date", "applied", applied)
	}
	return nil
}

// connect connects to NATS, and starts the embedded server before that.
func (b *Backend) connect(ctx context.Context) (err error) {
	if b.nats.Load() != nil {
		return nil
	}
	cfg := b.Config
	var n natsSide
	switch {
	case cfg.NATSURL != Embedded && cfg.TolerateOutages:
		n.nc, err = events.ConnectLater(cfg.NATSServer())
	case cfg.NATSURL != Embedded:
		n.nc, err = events.Connect(cfg.NATSServer())
	case b.data == nil:
		n.nc, err = joinRunning(ctx, cfg.DataDir)
	default:
		n.broker, n.nc, err = b.startBroker()
	}
	if err != nil {
		return err
	}
	n.bus, err = events.Open(n.nc, cfg.NATSPrefix)
	if n.broker != nil {
		b.closing(func() error { n.broker.Close(); return nil })
	}
	b.closing(func() error { n.nc.Close(); return nil })
	if err != nil {
		return err
	}
	b.nats.Store(&n)
	return nil
}

// prepareStreams sets the streams up. A command on a server that others use only looks:
// its environment need not be that of the service.
func (b *Backend) prepareStreams(ctx context.Context) error {
	if b.setsUp || b.nats.Load().broker != nil {
		return events.Setup(ctx, b.Bus(), b.Config.Replicas)
	}
	return events.Look(ctx, b.Bus())
}

// SetUpStreams sets the streams up on an external NATS server, for a command that may change
// them. It returns where that is; "" where NATS is embedded: then the service does it.
func SetUpStreams(ctx context.Context, cfg Config) (place string, err error) {
	if cfg.NATSURL == Embedded {
		return "", nil
	}
	nc, err := events.Connect(cfg.NATSServer())
	if err != nil {
		return "", err
	}
	defer nc.Close()
	bus, err := events.Open(nc, cfg.NATSPrefix)
	if err != nil {
		return "", err
	}
	return events.WithoutPassword(cfg.NATSURL), events.Setup(ctx, bus, cfg.Replicas)
}

// joinWait is how long a command waits for the NATS server of a service that is starting.
const joinWait = 30 * time.Second

// joinRunning connects to the NATS server of the service that owns the data directory.
func joinRunning(ctx context.Context, dir string) (nc *nats.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	loop := retry.Loop{
		Policy: retry.Policy{First: joinWait / 100, Max: joinWait / 100}, Final: func(err error) bool { return !errors.Is(err, errNATSStarts) },
	}
	failed := loop.Until(ctx, func(context.Context) error {
		r, readErr := readRunning(dir)
		if err = readErr; err == nil && r.NATSURL == "" {
			err = errNATSStarts
		}
		if err == nil {
			nc, err = events.Connect(events.Server{URL: r.NATSURL, Token: r.NATSToken})
		}
		return err
	})
	if failed != nil {
		return nil, err // the last one says more than that time is over
	}
	return nc, nil
}

// ConnectSubscriber connects to the service's NATS as one who only reads.
func ConnectSubscriber(cfg Config) (*nats.Conn, error) {
	if cfg.NATSURL != Embedded {
		return events.Connect(cfg.NATSServer())
	}
	r, err := readRunning(cfg.DataDir)
	switch {
	case err != nil:
		return nil, err
	case r.NATSURL == "":
		return nil, errNATSStarts
	}
	return events.Connect(events.Server{URL: r.NATSURL, Token: r.SubscriberToken})
}

func (b *Backend) brokerConfig() broker.Config {
	return broker.Config{
		Dir: b.data.file("nats"), Listen: b.Config.NATSListen, Prefix: b.Config.NATSPrefix, Subscribers: b.subscribers,
		ServiceToken: b.serviceToken.Reveal(), Logger: b.Log,
	}
}

func (b *Backend) startBroker() (*broker.Broker, *nats.Conn, error) {
	b.serviceToken = leads.Secret(rand.Text())
	server, err := broker.Start(b.brokerConfig())
	if err != nil {
		return nil, nil, err
	}
	nc, err := server.Connect(events.Options()...)
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return server, nc, nil
}

// NATSURL is where subscribers connect; "" until the embedded server has started.
func (b *Backend) NATSURL() string {
	switch n := b.nats.Load(); {
	case b.Config.NATSURL != Embedded:
		return b.Config.NATSURL
	case n != nil && n.broker != nil:
		return n.broker.URL()
	default:
		return ""
	}
}

// OwnerConfig is what owners of portals work with, of a service or of a command.
func (b *Backend) OwnerConfig(stats *consumers.Stats, wake func()) owner.Config {
	cfg, db := b.Config, b.DB
	return owner.Config{
		Bus: b.Bus(), Holder: b.Holder, OAuth: cfg.OAuth(), CallbackURL: cfg.CallbackURL(), SolutionField: cfg.SolutionField,
		Mirror: owner.Recorded(owner.Mirror{
			Leads: db, Portals: db, Standing: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Status: db, Repairs: db, Reports: db,
		}, b.Journal, cfg.Now), Journal: b.Journal,
		Grace: cfg.grace(), MinAge: cfg.Tuning.MinAge, TimeScale: cfg.Tuning.TimeScale, Now: cfg.Now, Stats: stats, Wake: wake, Log: b.Log,
	}
}

// NotifyOwner leaves a notice for the portal's owner.
func (b *Backend) NotifyOwner(ctx context.Context, portal leads.Portal, event events.PortalEvent) error {
	return events.PublishPortal(ctx, b.Bus(), events.PortalNotice{
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
