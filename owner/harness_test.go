package owner_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestMain(m *testing.M) {
	leadstest.SideBySide(8)
	m.Run()
}

// grace is how long a lead must have been absent in these tests.
const grace = 400 * time.Millisecond

const callbackURL = "https://leads.example.com/bitrix24/events"

// harness is an emulated portal that authorized our application, a mirror in SQLite and a
// broker.
type harness struct {
	t         testing.TB
	bus       *events.Bus
	db        *repo.DB
	portal    *emulator.Portal
	record    leads.Portal
	transport *recordingTransport
	stats     *consumers.Stats
	log       leadstest.Log
}

// open starts a harness whose portal has that many leads. Its tests wait more than they
// work, so they run side by side.
func open(t *testing.T, count int) *harness {
	t.Helper()
	t.Parallel()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db"), Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, bus: eventstest.Bus(t), db: db, stats: &consumers.Stats{}}
	h.portal = h.start(count, 1)
	h.transport = &recordingTransport{}
	t.Cleanup(h.transport.client().CloseIdleConnections)
	h.record = h.authorize(h.portal)
	return h
}

func (h *harness) start(count int, seed uint64) *emulator.Portal {
	h.t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, Seed: seed, NoLimits: true, Switches: emulator.Switches{NoOffline: true}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (h *harness) oauth(p *emulator.Portal) *bitrix24.OAuth {
	info := p.Info()
	return &bitrix24.OAuth{
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: h.transport.client(), Now: time.Now,
		Trust: bitrix24.Trust{Insecure: []string{hostOf(info.Portal), hostOf(info.OAuth)}},
	}
}

// authorize logs in at a portal and stores the tokens, as the OAuth page does.
func (h *harness) authorize(p *emulator.Portal) leads.Portal {
	h.t.Helper()
	info := p.Info()
	p.Install("", "https://leads.example.com/back")
	browser := &http.Client{Transport: h.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(info.Portal + "/oauth/authorize/?client_id=" + info.ClientID)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		h.t.Fatalf("no redirect: %d", resp.StatusCode)
	}
	pair, err := h.oauth(p).Exchange(h.t.Context(), back.Query().Get("server_domain"), back.Query().Get("code"))
	if err != nil {
		h.t.Fatal(err)
	}
	record := leads.Portal{
		MemberID: info.MemberID, Domain: hostOf(info.Portal), State: leads.PortalActive, ClientEndpoint: info.Portal + "/rest/",
		ServerEndpoint: info.OAuth + "/rest/", UpdatedAt: time.Now().UTC(),
	}
	if _, err := h.db.Authorize(h.t.Context(), record, pair.Grant, false); err != nil {
		h.t.Fatal(err)
	}
	return record
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}

// config is that of owners who reach the emulated portal.
func (h *harness) config() owner.Config {
	return owner.Config{
		Bus: h.bus, Holder: "one", OAuth: h.oauth(h.portal), HTTP: h.transport.client(), CallbackURL: callbackURL,
		Mirror: owner.Mirror{
			Leads: h.db, Portals: h.db, Standing: h.db, Tokens: h.db, Runs: h.db, Rows: h.db, Ledger: h.db, Evidence: h.db, Status: h.db, Repairs: h.db, Reports: h.db, Agenda: h.db,
		},
		RetryPolicy: func(attempts int) (time.Duration, bool) { return 0, attempts < 3 },
		Grace:       grace, Stats: h.stats, Wake: func() {}, Log: h.log.Logger(),
	}
}

// work runs owners until stop is called or the test ends.
func (h *harness) work(cfg owner.Config) (stop func()) {
	h.t.Helper()
	return h.background(owner.NewOwners(cfg).Run)
}

func (h *harness) background(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("stopped with %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

// until asks again and again, for at most a minute.
func (h *harness) until(what string, done func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("still waiting: %s\n%s", what, h.log.String())
		case <-tick.C:
		}
	}
}

func (h *harness) member() string { return h.record.MemberID }

// publish leaves a notice for the portal's owner.
func (h *harness) publish(event events.PortalEvent) {
	h.t.Helper()
	n := events.PortalNotice{MemberID: h.member(), Event: event, At: time.Now()}
	if err := events.PublishPortal(h.t.Context(), h.bus, n); err != nil {
		h.t.Fatal(err)
	}
}

// handled tells whether all notices about the portal are acknowledged.
func (h *harness) handled() bool {
	n, err := events.Depth(h.t.Context(), h.bus, events.StreamPortals)
	return err == nil && n == 0
}

func (h *harness) state() leads.PortalState {
	h.t.Helper()
	p, _, err := h.db.Portal(h.t.Context(), h.member())
	if err != nil {
		h.t.Fatal(err)
	}
	return p.State
}

// passes are the modes of the passes that ended, the oldest first.
func (h *harness) passes() []leads.RunMode {
	h.t.Helper()
	runs, err := h.db.Runs(h.t.Context(), h.member(), 100)
	if err != nil {
		h.t.Fatal(err)
	}
	var modes []leads.RunMode
	for _, run := range runs {
		if run.State == leads.RunCompleted {
			modes = append([]leads.RunMode{run.Mode}, modes...)
		}
	}
	return modes
}

// recordingTransport sends requests to emulated portals, records them, and fails those that a
// test selects.
type recordingTransport struct {
	mu   sync.Mutex
	fail string // of requests that contain this text; "" is none
	sent []string
	hold func(text string) // is called with each request, before it is sent; nil is not
}

func (t *recordingTransport) client() *http.Client { return &http.Client{Transport: t} }

// RoundTrip implements http.RoundTripper.
func (t *recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	text := r.URL.Path + " " + string(body)
	t.mu.Lock()
	fail := t.fail != "" && strings.Contains(text, t.fail)
	t.sent = append(t.sent, text)
	hold := t.hold
	t.mu.Unlock()
	if hold != nil {
		hold(text)
	}
	if fail {
		return nil, errors.New("connection reset")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// CloseIdleConnections lets a test end without connections of its own.
func (t *recordingTransport) CloseIdleConnections() { http.DefaultClient.CloseIdleConnections() }

func (t *recordingTransport) failOn(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = text
}

// count is how many requests contained a text.
func (t *recordingTransport) count(text string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sent := range t.sent {
		if strings.Contains(sent, text) {
			n++
		}
	}
	return n
}
