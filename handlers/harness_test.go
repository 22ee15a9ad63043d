package handlers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/handlers"
	"leadsync/leads"
	"leadsync/repo"
)

// apiToken lets the tests ask as the call centre does.
const apiToken = "the-token-of-the-call-centre"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// face is the HTTP face on a real HTTP stack, with everything behind it real.
type face struct {
	*handlers.Server

	t      testing.TB
	url    string
	client *http.Client
	portal *emulator.Portal
	db     *repo.DB
	js     jetstream.JetStream
	clock  *clock
	logged *strings.Builder
}

// clock is a hand-driven clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open serves a face; change may alter its configuration before.
func open(tb testing.TB, change func(*face, *handlers.Config)) *face {
	tb.Helper()
	p, err := emulator.Start(emulator.Config{Seed: 1, NoLimits: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	f := &face{t: tb, portal: p, db: database(tb), js: stream(tb), clock: &clock{now: time.Now()}, logged: &strings.Builder{}}
	info := p.Info()
	cfg := handlers.Config{
		Portals: f.db,
		OAuth: &bitrix24.OAuth{
			ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: bitrix24.NewHTTP(), Now: time.Now,
			Trust: bitrix24.Trust{Insecure: []string{host(tb, info.Portal), host(tb, info.OAuth)}},
		},
		PublicURL: "https://leads.example.com", Lookup: f.db, APIToken: apiToken,
		Store:   func(ctx context.Context, e events.Entry) error { return events.PublishEntry(ctx, f.js, e) },
		Ready:   func(context.Context) map[string]string { return nil },
		Metrics: http.NotFoundHandler(), Now: f.clock.Now,
		Log: slog.New(slog.NewTextHandler(f.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(f, &cfg)
	}
	f.Server = handlers.New(cfg)
	server := httptest.NewServer(f.Server)
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	f.url, f.client = server.URL, server.Client()
	f.client.Jar = jar
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	tb.Cleanup(func() {
		f.client.CloseIdleConnections()
		cfg.OAuth.HTTP.CloseIdleConnections()
		server.Close()
	})
	return f
}

func database(tb testing.TB) *repo.DB {
	tb.Helper()
	db, err := repo.Open(tb.Context(), repo.Config{URL: "sqlite:" + filepath.Join(tb.TempDir(), "mirror.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return db
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

func host(tb testing.TB, raw string) string {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u.Host
}

// post sends a body to the callbacks' address and returns status and answer.
func (f *face) post(body string) (status int, answer string) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url+"/bitrix24/events", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.do(request)
}

// served is the status that a server answers without a network.
func served(h http.Handler, request *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Code
}

// get asks for a path.
func (f *face) get(path string) (status int, answer string) {
	f.t.Helper()
	response := f.ask(path)
	return response.StatusCode, read(f.t, response)
}

func (f *face) ask(path string) *http.Response {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.url+path, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	response, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	return response
}

func (f *face) do(request *http.Request) (status int, answer string) {
	f.t.Helper()
	response, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	return response.StatusCode, read(f.t, response)
}

func read(tb testing.TB, response *http.Response) string {
	tb.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	_ = response.Body.Close()
	return string(body)
}

// installed makes the portal known, as an installation would.
func (f *face) installed() {
	f.t.Helper()
	info := f.portal.Info()
	err := f.db.SavePortal(f.t.Context(), leads.Portal{
		MemberID: info.MemberID, Domain: host(f.t, info.Portal), State: leads.PortalActive,
		ClientEndpoint: info.Portal + "/rest/", ServerEndpoint: info.OAuth + "/rest/",
		TokenHash: leads.HashToken(leads.Secret(info.ApplicationToken)),
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// held is how many messages a stream holds.
func (f *face) held(name string) uint64 {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func (f *face) portals() []leads.Portal {
	f.t.Helper()
	portals, err := f.db.Portals(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return portals
}

// callback is the body of a callback as PHP writes it.
func callback(event, member, token, id string) string {
	form := url.Values{
		"event": {event}, "ts": {"1766047124"}, "auth[member_id]": {member}, "auth[application_token]": {token},
		"auth[domain]": {"anywhere.example.com"},
	}
	if id != "" {
		form.Set("data[FIELDS][ID]", id)
	}
	return form.Encode()
}
