package handlers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/handlers"
	"leadsync/handlers/access"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/portals"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

// The tokens of the call centre, of its browsers, and of operators.
const (
	apiToken      = "the-token-of-the-call-centre"
	cardToken     = "the-token-of-its-browsers"
	operatorToken = "the-token-of-operators"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, eventstest.Goroutines()...) }

// harness is a server on a real HTTP stack, with everything behind it real.
type harness struct {
	t        testing.TB
	cfg      handlers.Config
	admin    handlers.OperatorsConfig
	access   access.Config
	registry portals.Config
	stats    *portals.Stats
	server   *handlers.Server
	url      string // of the public face
	adminURL string // of the operators' face
	client   *http.Client
	portal   *emulator.Portal
	db       *repo.DB
	bus      func() *events.Bus // starts NATS where a test needs it
	clock    *leadstest.Clock
	log      *leadstest.Log
}

// open serves; change may alter the configurations before.
func open(tb testing.TB, change func(*harness)) *harness {
	tb.Helper()
	p, err := emulator.Start(emulator.Config{Seed: 1, NoLimits: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	h := &harness{
		t: tb, portal: p, db: repotest.Migrated(tb), bus: sync.OnceValue(func() *events.Bus { return eventstest.Bus(tb) }), clock: leadstest.NewClock(time.Now()), log: &leadstest.Log{},
	}
	info := p.Info()
	h.registry = portals.Config{
		Store: h.db,
		OAuth: &bitrix24.OAuth{
			ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: bitrix24.NewHTTP(), Now: time.Now,
			Trust: bitrix24.Trust{Insecure: []string{host(tb, info.Portal), host(tb, info.OAuth)}},
		},
		Keep: func(ctx context.Context, e events.Entry) error { return h.cfg.Store(ctx, e) }, Now: h.clock.Now, Log: h.log.Logger(),
	}
	h.cfg = handlers.Config{
		PublicURL: "https://leads.example.com",
		Calls:     &handlers.CallCentre{Lookup: h.db, Judge: h.judge(access.Tokens{Card: cardToken, Read: apiToken}), Log: h.log.Logger()},
		Store:     func(ctx context.Context, e events.Entry) error { return events.PublishEntry(ctx, h.bus(), e) },
		Now:       h.clock.Now, Log: h.log.Logger(),
	}
	h.access = access.Config{Local: true, Themselves: []string{handlers.HealthPath, handlers.CardPath}, Now: h.clock.Now}
	h.admin = handlers.OperatorsConfig{
		Ready:   func(context.Context) map[string]string { return nil },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "some_metric 1\n") }), Log: h.log.Logger(),
	}
	if change != nil {
		change(h)
	}
	h.serve()
	return h
}

func (h *harness) judge(tokens access.Tokens) *access.Judge {
	return access.NewJudge(tokens, h.clock.Now, h.log.Logger())
}

// serve starts what is configured.
func (h *harness) serve() {
	h.t.Helper()
	h.cfg.Portals = portals.New(h.registry)
	h.stats = &h.cfg.Portals.Stats
	h.server = handlers.New(h.cfg)
	server := httptest.NewServer(h.server)
	h.access.Judge = h.judge(access.Tokens{Card: cardToken, Read: apiToken, Operate: operatorToken})
	h.admin.Guard = access.New(h.access)
	lookup := handlers.Lookup(h.db)
	if h.cfg.Calls != nil {
		lookup = h.cfg.Calls.Lookup
	}
	h.admin.Calls = &handlers.CallCentre{Lookup: lookup, Judge: h.access.Judge, Log: h.log.Logger()}
	operators := httptest.NewServer(handlers.NewOperators(h.admin))
	h.adminURL = operators.URL
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.url, h.client = server.URL, server.Client()
	h.client.Jar = jar
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.t.Cleanup(func() {
		h.client.CloseIdleConnections()
		h.registry.OAuth.HTTP.CloseIdleConnections()
		server.Close()
		operators.Close()
	})
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
func (h *harness) post(body string) (status int, answer string) {
	h.t.Helper()
	response, answer := h.send(http.MethodPost, "/bitrix24/events", body)
	return response.StatusCode, answer
}

// head is an answer without its body.
type head struct {
	StatusCode int
	Header     http.Header
}

// send sends a form by any method; header lists names and values in turn.
func (h *harness) send(method, path, body string, header ...string) (head, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	return head{response.StatusCode, response.Header}, read(h.t, response)
}

// served is the status that a server answers without a network.
func served(s http.Handler, request *http.Request) int {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	return w.Code
}

// operators asks for a path of the operators' face.
func (h *harness) operators(path string) (status int, answer string) {
	h.t.Helper()
	response, err := h.client.Get(h.adminURL + path)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, read(h.t, response)
}

// get asks for a path of the public face.
func (h *harness) get(path string) (status int, answer string) {
	h.t.Helper()
	response := h.ask(path)
	return response.StatusCode, read(h.t, response)
}

func (h *harness) ask(path string) *http.Response {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	return response
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
func (h *harness) installed() {
	h.t.Helper()
	info := h.portal.Info()
	err := h.db.SavePortal(h.t.Context(), leads.Portal{
		MemberID: info.MemberID, Domain: host(h.t, info.Portal), State: leads.PortalActive,
		ClientEndpoint: info.Portal + "/rest/", ServerEndpoint: info.OAuth + "/rest/",
		TokenHash: leads.HashToken(leads.Secret(info.ApplicationToken)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// messages is how many messages a stream has.
func (h *harness) messages(stream string) uint64 {
	h.t.Helper()
	s, err := h.bus().Stream(h.t.Context(), stream)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func (h *harness) portals() []leads.Portal {
	h.t.Helper()
	all, err := h.db.Portals(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// refused is how many callbacks were refused for a reason.
func (h *harness) refused(reason portals.Reason) int64 { return h.stats.Refused()[reason.String()] }

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
