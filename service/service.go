// Package service is what `leadsync serve` runs: configuration, opening and closing,
// starting without what is down, readiness and metrics. The demonstration runs the same.
// It decides nothing about leads.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/alert"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/events/gate"
	"leadsync/handlers"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/portals"
	"leadsync/retry"
)

// Service is a running service.
type Service struct {
	Backend *Backend
	Stats   *consumers.Stats
	Portals *portals.Registry

	server    *handlers.Server
	operators *handlers.Operators // nil where there is no operators' face
	listeners *Listeners
	owners    atomic.Pointer[owner.Owners] // nil until database and NATS are there
	intake    *events.Intake
	database  chan struct{} // closed when it is ready, or the service is being stopped
	ready     *readiness
	notify    func() // the outbox has something
	wake      <-chan struct{}
	incidents *incidentRecorder
	history   *history

	outboxDepth cache[int64] // for scrapes
	sampler     *sampler
	jobs        *jobs // of the pages; nil where there are none
	desk        *desk // of the pages; nil where there are none
	alarms      *alert.Alarms
	watched     atomic.Pointer[watched] // nil until the service has looked at itself
}

// Serve runs a service until the context ends. It takes callbacks before database and NATS
// are there, because Bitrix24 sends each only once.
func Serve(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	cfg.TolerateOutages = true
	b, err := own(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, b.Close()); err == nil {
			log.InfoContext(ctx, "leadsync has stopped: what it had begun is finished")
		}
	}()
	listeners, err := Listen(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, listeners.Close()) }()
	if cfg.NATSURL == Embedded {
		if err := b.NATS.checkListen(); err != nil {
			return err
		}
	}
	s, err := New(b, listeners)
	if err != nil {
		return err
	}
	s.announce(ctx)
	warn(ctx, cfg, log)
	log.InfoContext(ctx, "leadsync serves", "http", s.Address(), "admin", s.AdminAddress(), "nats", events.WithoutPassword(cfg.NATSURL), "database", b.DB.Dialect(), "data", cfg.DataDir, "install_path", cfg.CallbackURL(), "handler_path", cfg.RedirectURL(),
		"api_token", tokenPlace(cfg.APIToken, "LEADSYNC_API_TOKEN", b.data, apiTokenFile),
		"operator_token", tokenPlace(cfg.Admin.OperatorToken, "LEADSYNC_OPERATOR_TOKEN", b.data, operatorTokenFile))
	return s.Run(ctx)
}

// New wires the parts of a service that answers on listeners.
func New(b *Backend, listeners *Listeners) (*Service, error) {
	cfg := b.Config
	intake, err := openIntake(b)
	if err != nil {
		return nil, err
	}
	hashes, err := portals.OpenTokenHashes(b.data.file("tokens.json"))
	if err != nil {
		return nil, err
	}
	tokens, err := accessTokens(cfg, b.data)
	if err != nil {
		return nil, err
	}
	alarms, err := openAlarms(b)
	if err != nil {
		return nil, err
	}
	notify, wake := signal()
	s := &Service{
		Backend: b, Stats: &consumers.Stats{}, listeners: listeners, intake: intake, database: make(chan struct{}), notify: notify, wake: wake, alarms: alarms,
		incidents: &incidentRecorder{intake: intake, db: b.DB, now: cfg.Now, began: cfg.Now(), catchUp: cfg.CatchUpEvery > 0, journal: b.Journal, log: b.Log},
		history:   &history{db: b.DB, keep: cfg.Keep, keepChanges: cfg.KeepChanges, holder: b.Holder, scaled: cfg.scaled, now: cfg.Now, log: b.Log},
	}
	s.ready = &readiness{cfg: cfg, db: b.DB, nats: b.NATS, intake: intake, stats: s.Stats, tables: &b.tables, started: s.database, owners: s.owners.Load}
	s.Portals = portals.New(portals.Config{
		Store: b.DB, OAuth: cfg.OAuth(), Allowed: cfg.Portals, Webhook: webhookPortal(cfg), Hashes: hashes,
		Keep: intake.Take, Started: s.database, Journal: b.Journal, Now: cfg.Now, Log: b.Log,
	})
	s.sampler = newSampler(s)
	s.openFaces(tokens)
	return s, nil
}

func (s *Service) ownerConfig() owner.Config {
	cfg := s.Backend.OwnerConfig(s.Stats, s.notify)
	cfg.Keep = s.intake.Take
	cfg.Spooled = func() time.Time { return s.intake.Waiting().Oldest }
	cfg.CatchUpEvery = s.Backend.Config.CatchUpEvery
	if at := s.Backend.Config.ReconcileAt; at != nil {
		cfg.NextPass = at.Next
	}
	return cfg
}

// Run works until the context ends; what is under way then is finished. Callbacks are taken
// from the first moment until everything else has stopped.
func (s *Service) Run(ctx context.Context) error {
	taking, stopTaking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	face, work := errgroup.Group{}, errgroup.Group{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	face.Go(func() error { defer stop(); return s.server.Serve(taking, s.listeners.Public) })
	if s.operators != nil {
		face.Go(func() error { defer stop(); return s.operators.Serve(taking, s.listeners.Admin) })
	}
	face.Go(func() error { defer stop(); return s.intake.Run(taking, s.Portals.Verify) })
	work.Go(func() error { defer stop(); return unlessStopped(ctx, s.work(ctx)) })
	work.Go(func() error { return s.watch(ctx) })
	work.Go(func() error { return s.sampler.run(ctx) })
	work.Go(func() error { return s.alarms.Run(ctx) })
	err := work.Wait()
	if s.jobs != nil {
		s.jobs.end()
	}
	stopTaking()
	err = errors.Join(err, face.Wait())
	s.Portals.Flush()
	return err
}

// work does all that needs database and NATS, each as soon as it is there.
func (s *Service) work(ctx context.Context) error {
	b := s.Backend
	starting := newStartup(b.Config, b.Log, s.ready.stepFailed)
	group, ctx := errgroup.WithContext(ctx)
	learnt, nats := make(chan struct{}), make(chan struct{})
	group.Go(func() error {
		defer close(learnt)
		err := starting.finish(ctx, b.databaseSteps()...)
		close(s.database)
		if err != nil {
			return err
		}
		return starting.finish(ctx, step{name: database, do: s.Portals.Learn}, step{name: database, do: s.Portals.Adopt})
	})
	group.Go(func() error {
		<-learnt
		return b.pairs.run(ctx)
	})
	group.Go(func() error { // counting millions of rows takes longer than a viewer should wait
		<-learnt
		if s.desk != nil && ctx.Err() == nil {
			_, _ = s.desk.Overview(ctx)
		}
		return nil
	})
	group.Go(func() error {
		defer close(nats)
		return starting.finish(ctx, b.NATS.steps()...)
	})
	group.Go(func() error {
		<-nats
		return s.answerSubscribers(ctx)
	})
	group.Go(func() error {
		<-nats
		return s.keepStreams(ctx)
	})
	group.Go(func() error {
		<-nats
		<-learnt
		return s.mirror(ctx, starting)
	})
	return group.Wait()
}

// answerSubscribers lets other systems read the topic.
func (s *Service) answerSubscribers(ctx context.Context) error {
	if s.Backend.NATS.Bus() == nil { // the start was stopped
		return nil
	}
	s.announce(ctx)
	return gate.New(s.Backend.NATS.Bus(), s.Backend.Log, broker.Streams...).Run(ctx)
}

// mirror keeps the mirror and the topic equal to the portals.
func (s *Service) mirror(ctx context.Context, starting startup) error {
	b := s.Backend
	var topic *events.Topic
	open := func(ctx context.Context) (err error) { topic, err = events.OpenTopic(ctx, b.NATS.Bus()); return err }
	if b.NATS.Bus() == nil { // the start was stopped
		return nil
	}
	if err := starting.finish(ctx, step{name: "NATS", do: open}); err != nil {
		return err
	}
	b.Log.InfoContext(ctx, "database and NATS are ready", "nats", events.WithoutPassword(b.NATS.URL()))
	owners := owner.NewOwners(s.ownerConfig())
	s.owners.Store(owners)
	relay := &consumers.Relay{Bus: b.NATS.Bus(), Outbox: b.DB, Topic: topic, Holder: b.Holder, Wake: s.wake, Stats: s.Stats, Journal: b.Journal, Log: b.Log}
	statuses := &consumers.Statuses{Bus: b.NATS.Bus(), Store: b.DB, Holder: b.Holder, Now: b.Config.Now, Log: b.Log}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return owners.Run(ctx) })
	group.Go(func() error { return s.keepLearning(ctx) })
	group.Go(func() error { return relay.Run(ctx) })
	group.Go(func() error { return statuses.Run(ctx) })
	group.Go(func() error { return s.incidents.run(ctx) })
	group.Go(func() error { return refill(ctx, b.DB, b.Log) })
	group.Go(func() error { return s.history.run(ctx, b.NATS.Bus()) })
	group.Go(func() error { return s.history.watch(ctx) })
	return group.Wait()
}

// keepStreams keeps the streams that everything here works with.
func (s *Service) keepStreams(ctx context.Context) error {
	b := s.Backend
	if b.NATS.Bus() == nil { // the start was stopped
		return nil
	}
	keeper := &streamKeeper{bus: b.NATS.Bus(), setUp: b.NATS.prepare, lost: s.incidents.lostStreams, now: b.Config.Now, pause: b.Config.scaled(streamsEvery), log: b.Log}
	return keeper.run(ctx)
}

// announce tells commands that run beside the service where its parts are, as far as it
// knows. Without that only these commands fail.
func (s *Service) announce(ctx context.Context) {
	b := s.Backend
	if err := b.data.announce(b.NATS.URL(), b.NATS.serviceToken, b.NATS.SubscriberToken(), s.Address(), s.AdminAddress()); err != nil {
		b.Log.ErrorContext(ctx, "commands beside this service will not find it", "error", err)
	}
}

// learnEvery is how often the hashes of tokens are read again: other processes add portals,
// change their tokens and erase them.
const learnEvery = time.Minute

// keepLearning keeps the hashes of tokens on disk like those in the database.
func (s *Service) keepLearning(ctx context.Context) error {
	loop := retry.Loop{Policy: retry.Policy{First: learnEvery, Max: learnEvery}, Interval: learnEvery}
	return loop.Run(ctx, s.Portals.Learn)
}

// Address is where the public face listens, as a URL.
func (s *Service) Address() string { return addressOf(s.listeners.Public) }

// AdminAddress is where the operators' face listens: a URL, or unix: and a path; "" without
// such a face.
func (s *Service) AdminAddress() string { return addressOf(s.listeners.Admin) }

// webhookPortal is the portal that the configuration reaches by webhooks; nil where there
// is none.
func webhookPortal(cfg Config) *leads.Portal {
	if cfg.WebhookURL == "" {
		return nil
	}
	u, err := url.Parse(cfg.WebhookURL.Reveal())
	if err != nil {
		return nil // the configuration was checked
	}
	return &leads.Portal{
		MemberID: cfg.WebhookMemberID, Domain: u.Host, State: leads.PortalActive,
		WebhookURL: cfg.WebhookURL, TokenHash: leads.HashTokens(cfg.WebhookToken),
	}
}

// warn says what in the configuration will not do in the long run.
func warn(ctx context.Context, cfg Config, log *slog.Logger) {
	switch {
	case cfg.PublicURL == "" && cfg.WebhookURL == "":
		log.WarnContext(ctx, "LEADSYNC_PUBLIC_URL is not set: leadsync cannot bind the events of portals")
	case strings.HasPrefix(cfg.PublicURL, "http:"):
		log.WarnContext(ctx, "LEADSYNC_PUBLIC_URL is plain http: tokens in callbacks can be read on their way")
	}
	if cfg.ExposedFile != "" {
		log.WarnContext(ctx, "others than its owner can read the settings file, which has secrets: chmod 600", "file", cfg.ExposedFile)
	}
	if cfg.SecretKey == nil {
		log.WarnContext(ctx, "LEADSYNC_SECRET_KEY is not set: tokens are stored as plain text")
	}
}

// signal wakes one listener; notifications that it has not taken yet become one.
func signal() (notify func(), wake <-chan struct{}) {
	c := make(chan struct{}, 1)
	return func() {
		select {
		case c <- struct{}{}:
		default:
		}
	}, c
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
