package owner

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/leads"
)

// Session is one portal as its owner works on it: the client of Bitrix24 and the parts
// that keep the portal served. Each part has a file of its own.
type Session struct {
	cfg    *Config
	own    Ownership
	client *bitrix24.Client
	tokens *bitrix24.TokenSource // nil where a webhook is used
	budget *bitrix24.Budget
	reader consumers.Reader

	bindings  *bindings
	heartbeat *heartbeat
	queue     *queue
	silence   *silence
	passes    *passes
	upkeep    *upkeep
	mirror    *mirror
	health    *health
	fields    *fields

	absent chan struct{}             // wakes who asks for absent leads again
	due    atomic.Pointer[leads.Due] // as it was seen last; nil where that is not known

	readAt    atomic.Int64 // when a lead was read last, in Unix milliseconds
	goneAt    atomic.Int64 // when a lead was read last that was not there, the same
	simpleCRM atomic.Bool  // the portal has no leads
	held      atomic.Int64 // leads whose deletion is held back
	beaten    atomic.Bool  // what was missed before this owner is noted
}

// open opens a portal that this process owns.
func open(cfg *Config, own Ownership) (*Session, error) {
	s := &Session{cfg: cfg, own: own, absent: make(chan struct{}, 1), budget: bitrix24.NewBudget(own.Epoch == 1)}
	if err := s.connect(); err != nil {
		return nil, err
	}
	s.reader = liveReader{s}
	if cfg.Reader != nil {
		s.reader = cfg.Reader(own, s.reader)
	}
	s.health = &health{now: cfg.now, calm: cfg.scaled(calmAfter)}
	s.silence = &silence{session: s}
	s.bindings = newBindings(s)
	s.heartbeat = &heartbeat{s: s}
	s.queue = newQueue(s)
	s.passes = newPasses(s)
	s.upkeep = &upkeep{s: s}
	s.mirror = &mirror{s: s}
	s.fields = &fields{s: s}
	return s, nil
}

// answered notes that the portal answers.
func (s *Session) answered() { s.health.hear() }

// connect makes the client of the portal, with its source of tokens where it has one.
func (s *Session) connect() error {
	portal := s.own.Portal
	if portal.WebhookURL != "" {
		s.client = bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: portal.WebhookURL, Budget: s.budget, Answered: s.answered, HTTP: s.cfg.HTTP, Log: s.cfg.Log})
		return nil
	}
	endpoint, err := s.cfg.OAuth.Trust.Endpoint(portal.ClientEndpoint)
	if err != nil {
		return fmt.Errorf("portal %s: %w", portal.MemberID, err)
	}
	s.tokens = &bitrix24.TokenSource{
		MemberID: portal.MemberID, Server: portal.ServerEndpoint, OAuth: s.cfg.OAuth.As(portal.ClientID, portal.ClientSecret),
		Grants: s.cfg.Mirror.Tokens, By: s.cfg.Holder, Log: s.cfg.Log,
	}
	home := &bitrix24.Home{
		MemberID: portal.MemberID, Server: portal.ServerEndpoint, OAuth: s.tokens.OAuth, Tokens: s.tokens, Move: s.move,
	}
	s.client = bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(endpoint), Tokens: s.tokens, Budget: s.budget, Answered: s.answered, Moved: home.Moved, HTTP: s.cfg.HTTP, Log: s.cfg.Log,
	})
	return nil
}

// move stores the new address of a portal that was renamed.
func (s *Session) move(ctx context.Context, endpoint string) error {
	portal := s.own.Portal
	if endpoint == portal.ClientEndpoint {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("portal %s: its new address cannot be parsed", portal.MemberID)
	}
	s.cfg.Log.WarnContext(ctx, "portal was renamed", "member_id", portal.MemberID, "from", portal.Domain, "to", u.Host)
	return s.cfg.Mirror.Portals.MovePortal(ctx, portal.MemberID, u.Host, endpoint)
}

// close gives up the portal. Tokens that could not be stored yet are stored now: whoever
// owns the portal next needs them, so no context can cut it short. If the database does not
// take them, the data directory keeps them.
func (s *Session) close() {
	if s.tokens == nil {
		return
	}
	if err := s.tokens.Close(); err != nil {
		s.cfg.Log.Error("refreshed tokens are not in the database", "member_id", s.memberID(), "error", err)
	}
}

func (s *Session) memberID() string { return s.own.Portal.MemberID }

// liveReader reads leads from the portal for the worker.
type liveReader struct{ s *Session }

// Leads implements consumers.Reader.
func (r liveReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	ctx, waited := bitrix24.CountWaits(ctx)
	snaps, err := r.s.client.Leads().Read(ctx, ids, r.s.own.Tickets.Draw)
	for i := range snaps {
		snaps[i].Waited = waited()
	}
	if err == nil {
		r.s.readAt.Store(r.s.cfg.now().UnixMilli())
		r.s.see(snaps)
	}
	return snaps, err
}

// see looks at what was read, for callbacks and for passes.
func (s *Session) see(snaps []leads.Snapshot) {
	s.fields.see(snaps)
	if slices.ContainsFunc(snaps, func(snap leads.Snapshot) bool { return snap.Sight == leads.Absent }) {
		s.goneAt.Store(time.Now().UnixMilli())
	}
}

// installed asks whether our application is still installed there.
func (s *Session) installed(ctx context.Context) (bool, error) {
	if s.tokens == nil {
		return true, nil
	}
	if _, err := s.client.Read(ctx, "app.info", nil); err != nil {
		return false, err
	}
	return true, nil
}

// unbind takes our handlers out of the portal.
func (s *Session) unbind(ctx context.Context) error {
	if s.tokens == nil || s.cfg.CallbackURL == "" {
		return nil
	}
	return s.client.Events().Unbind(ctx, s.cfg.CallbackURL)
}
