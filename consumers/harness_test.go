package consumers_test

import (
	"context"
	"encoding/json"
	"flag"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/owner"
	"leadsync/repo"
)

// TestMain draws fewer histories than rapid's default: each takes half a second.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("12")
	}
	goleak.VerifyTestMain(m)
}

// grace is how long a lead must have been absent in these tests.
const grace = 400 * time.Millisecond

// harness is an embedded broker, a mirror in SQLite and one emulated portal, whose answers a
// test can script.
type harness struct {
	t      testing.TB
	js     jetstream.JetStream
	db     *repo.DB
	url    string // of the mirror
	portal *emulator.Portal
	client *bitrix24.Client // of the portal
	script script
	stats  *consumers.Stats
	wake   chan struct{}
	log    leadstest.Log
}

// script is called around each read of leads.
type script struct {
	mu     sync.Mutex
	before func(ctx context.Context, ids []int64) error
	after  func(snaps []leads.Snapshot)
	reads  atomic.Int64
}

// set changes the script; nil is nothing.
func (s *script) set(before func(context.Context, []int64) error, after func([]leads.Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// scripted reads as the script says.
type scripted struct {
	script *script
	next   consumers.Reader
}

func (r scripted) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	r.script.mu.Lock()
	before, after := r.script.before, r.script.after
	r.script.mu.Unlock()
	r.script.reads.Add(1)
	if before != nil {
		if err := before(ctx, ids); err != nil {
			return nil, err
		}
	}
	snaps, err := r.next.Leads(ctx, ids)
	if err == nil && after != nil {
		after(snaps)
	}
	return snaps, err
}

// open starts a harness whose portal has that many leads. Tests with a harness wait more
// than they work, so they run side by side.
func open(tb testing.TB, count int) *harness {
	tb.Helper()
	if tb, ok := tb.(*testing.T); ok {
		tb.Parallel()
	}
	at := "sqlite:" + filepath.Join(tb.TempDir(), "mirror.db")
	db, err := repo.Open(tb.Context(), repo.Config{URL: at, Grace: grace})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	o := &harness{t: tb, js: eventstest.JetStream(tb), db: db, url: at, stats: &consumers.Stats{}, wake: make(chan struct{}, 1)}
	o.startPortal(count)
	return o
}

// startPortal starts the portal and makes it known.
func (o *harness) startPortal(count int) {
	o.t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, Seed: 1, NoLimits: true})
	if err != nil {
		o.t.Fatal(err)
	}
	client := bitrix24.NewHTTP()
	o.t.Cleanup(func() {
		client.CloseIdleConnections()
		_ = p.Close()
	})
	info := p.Info()
	if err := o.db.SavePortal(o.t.Context(), leads.Portal{
		MemberID: info.MemberID, Domain: "portal.example.com", State: leads.PortalActive, WebhookURL: leads.Secret(info.Webhook),
	}); err != nil {
		o.t.Fatal(err)
	}
	o.portal = p
	o.client = bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(info.Webhook), HTTP: client})
}

func (o *harness) member() string { return o.portal.Info().MemberID }

func (o *harness) ref(id int64) leads.Ref { return leads.Ref{MemberID: o.member(), LeadID: id} }

// config is that of owners who read as the script says.
func (o *harness) config(holder string) owner.Config {
	return owner.Config{
		JS: o.js, Mirror: mirrorOf(o.db), Holder: holder, Grace: grace, Stats: o.stats,
		RetryPolicy: func(attempts int) (time.Duration, bool) { return 0, attempts < 3 },
		Reader:      func(_ owner.Ownership, next consumers.Reader) consumers.Reader { return scripted{&o.script, next} },
		Wake: func() {
			select {
			case o.wake <- struct{}{}:
			default:
			}
		},
		Log: o.log.Logger(),
	}
}

func mirrorOf(db *repo.DB) owner.Mirror {
	return owner.Mirror{Leads: db, Portals: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Repairs: db, Reports: db}
}

// work has owners at work until the returned stop is called, at the latest at the end.
func (o *harness) work(cfg owner.Config) (stop func()) {
	o.t.Helper()
	return background(o.t, owner.NewOwners(cfg).Run)
}

func background(tb testing.TB, run func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("stopped with %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// tell publishes notices of these leads.
func (o *harness) tell(event string, ids ...int64) {
	o.t.Helper()
	for _, id := range ids {
		n := events.Notice{Ref: o.ref(id), Event: event, Cause: leads.CauseEvent, ReceivedAt: time.Now()}
		if err := events.PublishNotice(o.t.Context(), o.js, n); err != nil {
			o.t.Fatal(err)
		}
	}
}

// until asks again and again, for at most a minute.
func until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			tb.Fatalf("still waiting: %s", what)
		case <-tick.C:
		}
	}
}

func (o *harness) until(what string, done func() bool) {
	o.t.Helper()
	until(o.t, what, done)
}

// settled tells whether no notice waits or is under way.
func (o *harness) settled() bool {
	n, err := events.Pending(o.t.Context(), o.js, o.member())
	return err == nil && n == 0
}

func (o *harness) held(id int64) (leads.Row, bool) {
	o.t.Helper()
	row, ok, err := o.db.Row(o.t.Context(), o.ref(id))
	if err != nil {
		o.t.Fatal(err)
	}
	return row, ok
}

// written tells whether the row is there and alive.
func (o *harness) written(id int64) bool {
	row, ok := o.held(id)
	return ok && !row.Deleted
}

func (o *harness) deleted(id int64) bool {
	row, ok := o.held(id)
	return ok && row.Deleted
}

// equal fails the test unless every lead of the portal is in the mirror as it is.
func (o *harness) equal() {
	o.t.Helper()
	for id, raw := range o.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			o.t.Fatal(err)
		}
		row, ok := o.held(id)
		if !ok || row.Deleted {
			o.t.Errorf("lead %d is not in the mirror", id)
			continue
		}
		if fields := row.Differences(&lead); len(fields) > 0 {
			o.t.Errorf("lead %d differs in %v", id, fields)
		}
	}
}

func (o *harness) ids() []int64 {
	var ids []int64
	for id := range o.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

func (o *harness) edit(id int64, title string) {
	o.t.Helper()
	if err := o.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		o.t.Fatal(err)
	}
}

// dead are the letters that are parked, by lead.
func (o *harness) dead() map[int64]events.DeadLetter {
	o.t.Helper()
	s, err := o.js.Stream(o.t.Context(), events.StreamDead)
	if err != nil {
		o.t.Fatal(err)
	}
	letters := map[int64]events.DeadLetter{}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		msg, err := s.GetMsg(o.t.Context(), seq)
		if err != nil {
			continue // replaced or dropped
		}
		var letter events.DeadLetter
		if err := json.Unmarshal(msg.Data, &letter); err != nil {
			o.t.Fatal(err)
		}
		id, err := leads.ParseID(msg.Subject[strings.LastIndex(msg.Subject, ".")+1:])
		if err != nil {
			o.t.Fatal(err)
		}
		letters[id] = letter
	}
	return letters
}
