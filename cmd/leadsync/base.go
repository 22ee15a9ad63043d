package main

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

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
	"leadsync/repo"
)

// base is what every command that touches leads stands on: the database and NATS, with
// the data directory where they are embedded.
type base struct {
	cfg    config
	log    *slog.Logger
	holder string // names this process in leases

	data   *dataDir       // nil where a running service owns it
	broker *broker.Broker // nil where NATS is not embedded in this process
	db     *repo.DB
	nc     *nats.Conn
	js     jetstream.JetStream
	desks  desks // of the portals that this process owns

	serviceToken leads.Secret // of the embedded server
	closers      []func() error
	waiting      []preparation // for what was down at the start
	// store keeps notices on disk, as callbacks are kept; nil in commands that take none.
	store func(context.Context, events.Entry) error
}

// join opens the base of a command, beside a running service or alone.
func (a *app) join(ctx context.Context) (*base, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return openBase(ctx, cfg, newLog(a.stderr, cfg), true)
}

// openBase opens data directory, database and NATS, in this order. With join, a data
// directory that a running service owns is no failure: its NATS is used.
func openBase(ctx context.Context, cfg config, log *slog.Logger, join bool) (_ *base, err error) {
	b := &base{cfg: cfg, log: log, holder: holderName()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	b.data, err = openData(cfg.dataDir)
	switch {
	case errors.Is(err, errDataInUse) && join:
	case errors.Is(err, errDataInUse):
		return b, fmt.Errorf("%w; stop it, or give this one a directory of its own by LEADSYNC_DATA_DIR", err)
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
func (b *base) Close() error {
	var errs []error
	for _, closer := range slices.Backward(b.closers) {
		errs = append(errs, closer())
	}
	b.closers = nil
	return errors.Join(errs...)
}

func (b *base) closing(f func() error) { b.closers = append(b.closers, f) }

func (b *base) openDatabase(ctx context.Context) error {
	db, err := openDB(ctx, b.cfg, b.log)
	if err != nil {
		return err
	}
	b.db = db
	b.closing(db.Close)
	return b.tolerate(ctx, "database", func(ctx context.Context) error { return migrate(ctx, db, b.log) })
}

func openDB(ctx context.Context, cfg config, log *slog.Logger) (*repo.DB, error) {
	return repo.Open(ctx, repo.Config{
		URL: cfg.databaseURL, Lazy: cfg.patient, SecretKey: cfg.secretKey, SolutionField: cfg.solutionField, PhoneRegion: cfg.phoneRegion, Grace: cfg.grace,
		DeleteFloor: cfg.deleteFloor, Now: cfg.now, Logger: log,
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

func (b *base) openNATS(ctx context.Context) error {
	if err := b.connect(); err != nil {
		return err
	}
	b.closing(func() error { b.nc.Close(); return nil })
	js, err := events.JetStream(b.nc)
	if err != nil {
		return err
	}
	b.js = js
	return b.tolerate(ctx, "NATS", func(ctx context.Context) error { return events.Setup(ctx, js, b.cfg.replicas) })
}

func (b *base) connect() (err error) {
	switch {
	case b.cfg.natsURL != embedded && b.cfg.patient:
		b.nc, err = events.ConnectLater(b.cfg.natsURL, b.cfg.natsToken.Reveal())
	case b.cfg.natsURL != embedded:
		b.nc, err = events.Connect(b.cfg.natsURL, b.cfg.natsToken.Reveal())
	case b.data == nil:
		b.nc, err = joinRunning(b.cfg.dataDir)
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

func (b *base) startBroker() error {
	b.serviceToken = leads.Secret(rand.Text())
	server, err := broker.Start(broker.Config{
		Dir: b.data.file("nats"), Listen: b.cfg.natsListen, Token: b.cfg.natsToken.Reveal(),
		ServiceToken: b.serviceToken.Reveal(), Logger: b.log,
	})
	if err != nil {
		return err
	}
	b.broker = server
	b.closing(func() error { server.Close(); return nil })
	b.nc, err = server.Connect(events.Options()...)
	return err
}

// natsURL is where subscribers connect.
func (b *base) natsURL() string {
	if b.broker != nil {
		return b.broker.URL()
	}
	return b.cfg.natsURL
}

func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}
