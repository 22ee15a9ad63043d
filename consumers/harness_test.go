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
	goleak.VerifyTestMain(m, eventstest.Goroutines()...)
}

// grace is how long a lead must have been absent in these tests.
const grace = 400 * time.Millisecond

// harness is an embedded broker, a mirror in SQLite and one emulated portal, whose answers a
// test can script.
type harness struct {
	t      testing.TB
	bus    *events.Bus
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

// scriptedReader reads leads as the script says.
type scriptedReader struct {
	script *script
	next   consumers.Reader
}

func (r scriptedReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
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
	h := &harness{t: tb, bus: eventstest.Bus(tb), db: db, url: at, stats: &consumers.Stats{}, wake: make(chan struct{}, 1)}
	h.startPortal(count)
	return h
}

// startPortal starts the portal and makes it known.
func (h *harness) startPortal(count int) {
	h.t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, Seed: 1, NoLimits: true})
	if err != nil {
		h.t.Fatal(err)
	}
	client := bitrix24.NewHTTP()
	h.t.Cleanup(func() {
		client.CloseIdleConnections()
		_ = p.Close()
	})
	info := p.Info()
	if err := h.db.SavePortal(h.t.Context(), leads.Portal{
		MemberID: info.MemberID, Domain: "portal.example.com", State: leads.PortalActive, WebhookURL: leads.Secret(info.Webhook),
	}); err != nil {
		h.t.Fatal(err)
	}
	h.portal = p
	h.client = bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(info.Webhook), HTTP: client})
}

func (h *harness) member() string { return h.portal.Info().MemberID }

func (h *harness) ref(id int64) leads.Ref { return leads.Ref{MemberID: h.member(), LeadID: id} }

// config is the configuration of owners who read as the script says.
func (h *harness) config(holder string) owner.Config {
	return owner.Config{
		Bus: h.bus, Mirror: mirrorOf(h.db), Holder: holder, Grace: grace, Stats: h.stats,
		RetryPolicy: func(attempts int) (time.Duration, bool) { return 0, attempts < 3 },
		Reader: func(_ owner.Ownership, next consumers.Reader) consumers.Reader {
			return scriptedReader{&h.script, next}
		},
		Wake: func() {
			select {
			case h.wake <- struct{}{}:
			default:
			}
		},
		Log: h.log.Logger(),
	}
}

func mirrorOf(db *repo.DB) owner.Mirror {
	return owner.Mirror{Leads: db, Portals: db, Standing: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Status: db, Repairs: db, Reports: db, Agenda: db}
}

// work runs owners until stop is called or the test ends.
func (h *harness) work(cfg owner.Config) (stop func()) {
	h.t.Helper()
	return background(h.t, owner.NewOwners(cfg).Run)
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

// notify publishes notices of these leads.
func (h *harness) notify(event string, ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		n := events.Notice{Ref: h.ref(id), Event: event, Cause: leads.CauseEvent, ReceivedAt: time.Now()}
		if err := events.PublishNotice(h.t.Context(), h.bus, n); err != nil {
			h.t.Fatal(err)
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

func (h *harness) until(what string, done func() bool) {
	h.t.Helper()
	until(h.t, what, done)
}

// allHandled tells whether no notice waits or is under way.
func (h *harness) allHandled() bool {
	n, err := events.Pending(h.t.Context(), h.bus, h.member())
	return err == nil && n == 0
}

func (h *harness) row(id int64) (leads.Row, bool) {
	h.t.Helper()
	row, ok, err := h.db.Row(h.t.Context(), h.ref(id))
	if err != nil {
		h.t.Fatal(err)
	}
	return row, ok
}

// written tells whether the row is there and alive.
func (h *harness) written(id int64) bool {
	row, ok := h.row(id)
	return ok && !row.Deleted
}

func (h *harness) deleted(id int64) bool {
	row, ok := h.row(id)
	return ok && row.Deleted
}

// wantEqual fails the test unless every lead of the portal is in the mirror as it is.
func (h *harness) wantEqual() {
	h.t.Helper()
	for id, raw := range h.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			h.t.Fatal(err)
		}
		row, ok := h.row(id)
		if !ok || row.Deleted {
			h.t.Errorf("lead %d is not in the mirror", id)
			continue
		}
		if fields := row.Differences(&lead); len(fields) > 0 {
			h.t.Errorf("lead %d differs in %v", id, fields)
		}
	}
}

func (h *harness) ids() []int64 {
	var ids []int64
	for id := range h.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

func (h *harness) edit(id int64, title string) {
	h.t.Helper()
	if err := h.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		h.t.Fatal(err)
	}
}

// deadLetters are the parked dead letters, by lead.
func (h *harness) deadLetters() map[int64]events.DeadLetter {
	h.t.Helper()
	s, err := h.bus.Stream(h.t.Context(), events.StreamDead)
	if err != nil {
		h.t.Fatal(err)
	}
	letters := map[int64]events.DeadLetter{}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		msg, err := s.GetMsg(h.t.Context(), seq)
		if err != nil {
			continue // replaced or dropped
		}
		var letter events.DeadLetter
		if err := json.Unmarshal(msg.Data, &letter); err != nil {
			h.t.Fatal(err)
		}
		id, err := leads.ParseID(msg.Subject[strings.LastIndex(msg.Subject, ".")+1:])
		if err != nil {
			h.t.Fatal(err)
		}
		letters[id] = letter
	}
	return letters
}
