package consumers_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
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
	"leadsync/events/broker"
	"leadsync/leads"
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

// office is a place to work in: an embedded broker, a mirror in SQLite, one portal.
type office struct {
	t      testing.TB
	js     jetstream.JetStream
	db     *repo.DB
	url    string // of the mirror
	portal *emulator.Portal
	desk   *desk // of the portal
	stats  *consumers.Stats
	rung   chan struct{}
	logged *journal
}

// journal keeps what was logged, safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// desk is a portal as its owner works on it: the real client, with a script beside it.
type desk struct {
	client *bitrix24.Client
	db     *repo.DB

	mu sync.Mutex
	// before and after are called around each read of leads; nil is nothing.
	before func(ctx context.Context, ids []int64) error
	after  func(snaps []leads.Snapshot)

	calls     []string // what was asked of it, reads apart
	reads     atomic.Int64
	there     bool
	bindError error
}

// view is a desk as one ownership uses it: tickets belong to an ownership.
type view struct {
	*desk

	tickets *leads.Tickets
}

func (v view) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	v.mu.Lock()
	before, after := v.before, v.after
	v.mu.Unlock()
	v.reads.Add(1)
	if before != nil {
		if err := before(ctx, ids); err != nil {
			return nil, err
		}
	}
	snaps, err := v.client.Leads().Read(ctx, ids, v.tickets.Draw)
	if err == nil && after != nil {
		after(snaps)
	}
	return snaps, err
}

func (d *desk) script(before func(context.Context, []int64) error, after func([]leads.Snapshot)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before, d.after = before, after
}

func (d *desk) Bind(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, "bind")
	return d.bindError
}

func (d *desk) Upkeep(context.Context) error { return nil }

func (d *desk) Drain(context.Context) error { return nil }

func (d *desk) Rang(event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, event)
}

func (d *desk) Close() {}

func (d *desk) Installed(context.Context) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, "installed?")
	return d.there, nil
}

func (d *desk) Pass(ctx context.Context, run leads.Run) error {
	d.mu.Lock()
	d.calls = append(d.calls, "pass "+string(run.Mode))
	d.mu.Unlock()
	run.State, run.FinishedAt = leads.RunCompleted, time.Now()
	return d.db.SaveRun(ctx, run)
}

func (d *desk) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.calls...)
}

// open furnishes an office whose portal has that many leads. Tests with an office wait
// more than they work, so they run side by side.
func open(tb testing.TB, count int) *office {
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
	o := &office{t: tb, js: stream(tb), db: db, url: at, stats: &consumers.Stats{}, rung: make(chan struct{}, 1), logged: &journal{}}
	o.portal, o.desk = o.add(count, 1)
	return o
}

func stream(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	server, err := broker.Start(broker.Config{Dir: tb.TempDir(), ServiceToken: "service"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	nc, err := server.Connect(events.Options()...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := events.JetStream(nc)
	if err != nil {
		tb.Fatal(err)
	}
	if err := events.Setup(tb.Context(), js, 1); err != nil {
		tb.Fatal(err)
	}
	return js
}

// add starts a portal and makes it known.
func (o *office) add(count int, seed uint64) (*emulator.Portal, *desk) {
	o.t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, Seed: seed, NoLimits: true})
	if err != nil {
		o.t.Fatal(err)
	}
	client := bitrix24.NewHTTP()
	o.t.Cleanup(func() {
		client.CloseIdleConnections()
		_ = p.Close()
	})
	info := p.Info()
	o.save(leads.Portal{
		MemberID: info.MemberID, Domain: fmt.Sprintf("portal-%d.example.com", seed), State: leads.PortalActive,
		WebhookURL: leads.Secret(info.Webhook),
	})
	return p, &desk{
		db: o.db, there: true,
		client: bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(info.Webhook), HTTP: client}),
	}
}

func (o *office) save(p leads.Portal) {
	o.t.Helper()
	if err := o.db.SavePortal(o.t.Context(), p); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) member() string { return o.portal.Info().MemberID }

func (o *office) ref(id int64) leads.Ref { return leads.Ref{MemberID: o.member(), LeadID: id} }

// config is that of owners who find the desks given beside the office's own.
func (o *office) config(holder string, others map[string]*desk) consumers.OwnerConfig {
	return consumers.OwnerConfig{
		JS: o.js, Mirror: o.db, Holder: holder, Grace: grace, Stats: o.stats,
		Patience: func(attempts int) (time.Duration, bool) { return 0, attempts < 3 },
		Open: func(own consumers.Ownership) (consumers.Desk, error) {
			d, ok := others[own.Portal.MemberID]
			if !ok {
				d = o.desk
			}
			return view{d, own.Tickets}, nil
		},
		Wake: func() {
			select {
			case o.rung <- struct{}{}:
			default:
			}
		},
		Log: slog.New(slog.NewTextHandler(o.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// work has owners at work until the returned stop is called, at the latest at the end.
func (o *office) work(cfg consumers.OwnerConfig) (stop func()) {
	o.t.Helper()
	owners := &consumers.Owners{OwnerConfig: cfg}
	return background(o.t, owners.Run)
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
func (o *office) tell(event string, ids ...int64) {
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

func (o *office) until(what string, done func() bool) {
	o.t.Helper()
	until(o.t, what, done)
}

// settled tells whether no notice waits or is under way.
func (o *office) settled() bool {
	n, err := events.Pending(o.t.Context(), o.js, o.member())
	return err == nil && n == 0
}

func (o *office) held(id int64) (leads.Row, bool) {
	o.t.Helper()
	row, ok, err := o.db.Row(o.t.Context(), o.ref(id))
	if err != nil {
		o.t.Fatal(err)
	}
	return row, ok
}

// written tells whether the row is there and alive.
func (o *office) written(id int64) bool {
	row, ok := o.held(id)
	return ok && !row.Deleted
}

func (o *office) deleted(id int64) bool {
	row, ok := o.held(id)
	return ok && row.Deleted
}

// equal fails the test unless every lead of the portal is in the mirror as it is.
func (o *office) equal() {
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

func (o *office) ids() []int64 {
	var ids []int64
	for id := range o.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

func (o *office) edit(id int64, title string) {
	o.t.Helper()
	if err := o.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		o.t.Fatal(err)
	}
}

// dead are the letters that are parked, by lead.
func (o *office) dead() map[int64]events.DeadLetter {
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
