package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

// service is everything that `leadsync serve` runs; the demo runs the same.
type service struct {
	*base

	listener net.Listener
	server   *handlers.Server
	owners   *consumers.Owners
	intake   *events.Intake
	stats    *consumers.Stats
	bell     func()
	rung     <-chan struct{}
}

// newService wires the parts. It listens already, so that an address that is taken is
// told before anything starts.
func newService(ctx context.Context, b *base) (*service, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", b.cfg.httpAddr)
	if err != nil {
		return nil, fmt.Errorf("listen on LEADSYNC_HTTP_ADDR %s: %w", b.cfg.httpAddr, err)
	}
	b.closing(func() error { return ignoreClosed(listener.Close()) })
	s := &service{base: b, listener: listener, stats: &consumers.Stats{}}
	s.bell, s.rung = bell()
	if s.intake, err = b.openIntake(); err != nil {
		return nil, err
	}
	b.store = s.intake.Take
	tokens, err := handlers.OpenTokenHashes(b.data.file("tokens.json"))
	if err != nil {
		return nil, err
	}
	token, err := b.apiToken()
	if err != nil {
		return nil, err
	}
	s.owners = &consumers.Owners{OwnerConfig: b.ownerConfig(s.stats, s.bell)}
	if at := b.cfg.reconcileAt; at != nil {
		s.owners.NextPass = at.next
	}
	s.owners.CatchUpEvery = b.cfg.catchUp
	s.server = handlers.New(handlers.Config{
		Portals: b.db, OAuth: b.oauth(), Allowed: b.cfg.portals, PublicURL: b.cfg.publicURL, Webhook: b.webhookPortal(),
		Lookup: b.db, APIToken: token,
		Store: s.intake.Take, Tokens: tokens, StateKey: b.cfg.stateKey(),
		Ready: s.ill, Metrics: s.metrics(), Now: b.cfg.now, Log: b.log,
	})
	return s, nil
}

// ownerConfig is what owners of portals work with.
func (b *base) ownerConfig(stats *consumers.Stats, wake func()) consumers.OwnerConfig {
	return consumers.OwnerConfig{
		JS: b.js, Mirror: b.db, Holder: b.holder, Grace: b.cfg.grace, Now: b.cfg.now, Stats: stats, Wake: wake, Log: b.log,
		Open: func(own consumers.Ownership) (consumers.Desk, error) { return b.openDesk(own, wake) },
	}
}

// run works until the context ends; what is under way then is finished.
func (s *service) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.server.Serve(ctx, s.listener) })
	group.Go(func() error { return s.intake.Run(ctx, s.server.Verify) })
	group.Go(func() error { return s.work(ctx) })
	return group.Wait()
}

// work does all that needs database and NATS, as soon as both are there.
func (s *service) work(ctx context.Context) error {
	if err := s.prepared(ctx); err != nil {
		return unlessStopped(ctx, err)
	}
	var topic *events.Topic
	for _, step := range []func(context.Context) error{
		s.server.Learn,
		s.adoptWebhook,
		func(ctx context.Context) (err error) { topic, err = events.OpenTopic(ctx, s.js); return err },
	} {
		if err := s.insist(ctx, step); err != nil {
			return unlessStopped(ctx, err)
		}
	}
	relay := &consumers.Relay{JS: s.js, Outbox: s.db, Topic: topic, Holder: s.holder, Wake: s.rung, Stats: s.stats, Log: s.log}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.owners.Run(ctx) })
	group.Go(func() error { return relay.Run(ctx) })
	group.Go(func() error { return s.incidents(ctx) })
	group.Go(func() error { return s.refill(ctx) })
	return group.Wait()
}

// address is where the HTTP face listens, as a URL.
func (s *service) address() string { return "http://" + s.listener.Addr().String() }

// webhookPortal is the portal that the configuration reaches by webhooks; nil where
// there is none.
func (b *base) webhookPortal() *leads.Portal {
	if b.cfg.webhookURL == "" {
		return nil
	}
	u, err := url.Parse(b.cfg.webhookURL.Reveal())
	if err != nil {
		return nil // the configuration was checked
	}
	return &leads.Portal{
		MemberID: b.cfg.webhookID, Domain: u.Host, State: leads.PortalActive,
		WebhookURL: b.cfg.webhookURL, TokenHash: leads.HashToken(b.cfg.webhookToken),
	}
}

// adoptWebhook makes a portal of the configured webhook known, so that its leads are
// imported. Without its member id that waits for the first callback with its token.
func (s *service) adoptWebhook(ctx context.Context) error {
	if s.server.Webhook == nil {
		return nil
	}
	portal, known, err := s.server.WebhookPortal(ctx)
	if err != nil {
		return err
	}
	if !known {
		s.log.InfoContext(ctx, "the import waits for the first callback of the outgoing webhook, or for LEADSYNC_B24_MEMBER_ID")
		return nil
	}
	return s.server.Adopt(ctx, portal)
}

// ill says which part does not work, in words.
func (s *service) ill(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ill := map[string]string{}
	if !s.nc.IsConnected() {
		ill["nats"] = "not connected to " + events.WithoutPassword(s.natsURL()) + ": callbacks are kept in the spool until it is back"
		if err := s.nc.LastError(); err != nil {
			ill["nats"] += " (" + err.Error() + ")"
		}
	}
	if s.broker != nil && ill["nats"] == "" {
		if what := s.broker.Problem(); what != "" {
			ill["nats"] = "does not store what it is sent: callbacks are kept in the spool until the disk has room again (" + what + ")"
		}
	}
	s.illSpool(ill)
	if err := s.db.Ping(ctx); err != nil {
		ill["database"] = err.Error()
		return ill
	}
	portals, err := s.db.Portals(ctx)
	if err != nil {
		ill["database"] = err.Error()
	}
	sick := s.owners.Ill()
	for _, d := range s.desks.list() {
		if words := d.silentWords(); words != "" {
			ill["callbacks of "+d.own.Portal.Domain] = words
		}
	}
	for _, p := range portals {
		if what, sick := sick[p.Domain]; sick {
			ill["portal "+p.Domain] = what
		}
		if p.State == leads.PortalNeedsAuthorization {
			ill["portal "+p.Domain] = "needs authorization: open /bitrix24/oauth/start?domain=" + p.Domain
		}
	}
	return ill
}

// bell wakes one listener; rings that nobody hears yet become one.
func bell() (ring func(), rung <-chan struct{}) {
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
