package portals_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/portals"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a registry with a real database and an emulated portal.
type fixture struct {
	t        testing.TB
	cfg      portals.Config
	registry *portals.Registry
	portal   *emulator.Portal
	info     emulator.Info
	db       *repo.DB
	store    *database
	kept     *entries
	clock    *leadstest.Clock
	log      *leadstest.Log
}

// open makes a registry; change may alter its configuration before.
func open(tb testing.TB, change func(*fixture)) *fixture {
	tb.Helper()
	p, err := emulator.Start(emulator.Config{Seed: 1, NoLimits: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	f := &fixture{
		t: tb, portal: p, info: p.Info(), db: repotest.Migrated(tb), kept: &entries{},
		clock: leadstest.NewClock(time.Now()), log: &leadstest.Log{},
	}
	f.store = &database{Store: f.db}
	f.cfg = portals.Config{
		Store: f.store,
		OAuth: &bitrix24.OAuth{
			ClientID: f.info.ClientID, ClientSecret: leads.Secret(f.info.ClientSecret), HTTP: bitrix24.NewHTTP(), Now: time.Now,
			Trust: bitrix24.Trust{Insecure: []string{hostOf(tb, f.info.Portal), hostOf(tb, f.info.OAuth)}},
		},
		Keep: f.kept.keep, Now: f.clock.Now, Log: f.log.Logger(),
	}
	if change != nil {
		change(f)
	}
	f.registry = portals.New(f.cfg)
	f.registry.WaitForDatabase()
	tb.Cleanup(f.cfg.OAuth.HTTP.CloseIdleConnections)
	return f
}

func hostOf(tb testing.TB, raw string) string {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u.Host
}

// database is a store that may be down and counts what a callback costs.
type database struct {
	portals.Store

	down    atomic.Bool
	queries atomic.Int64 // calls of Portal
	// before is called before each look-up, nil is not.
	before func(context.Context) error
}

var errDown = fmt.Errorf("the database is down: %w", leads.ErrUnavailable)

func (d *database) Portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	d.queries.Add(1)
	if d.before != nil {
		if err := d.before(ctx); err != nil {
			return leads.Portal{}, false, err
		}
	}
	if d.down.Load() {
		return leads.Portal{}, false, errDown
	}
	return d.Store.Portal(ctx, memberID)
}

func (d *database) Portals(ctx context.Context) ([]leads.Portal, error) {
	if d.down.Load() {
		return nil, errDown
	}
	return d.Store.Portals(ctx)
}

func (d *database) SavePortal(ctx context.Context, p leads.Portal) error {
	if d.down.Load() {
		return errDown
	}
	return d.Store.SavePortal(ctx, p)
}

// entries keeps the notices for owners of portals.
type entries struct {
	mu   sync.Mutex
	all  []events.Entry
	fail error
}

func (e *entries) keep(_ context.Context, entry events.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail == nil {
		e.all = append(e.all, entry)
	}
	return e.fail
}

func (e *entries) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

func (e *entries) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) == 0 {
		return ""
	}
	return string(e.all[len(e.all)-1].Data)
}

// save writes portals to the database.
func (f *fixture) save(portals ...leads.Portal) {
	f.t.Helper()
	for _, p := range portals {
		if err := f.db.SavePortal(f.t.Context(), p); err != nil {
			f.t.Fatal(err)
		}
	}
}

// installed makes the emulated portal known, as an installation would.
func (f *fixture) installed() {
	f.t.Helper()
	f.save(leads.Portal{
		MemberID: f.info.MemberID, Domain: hostOf(f.t, f.info.Portal), State: leads.PortalActive,
		ClientEndpoint: f.info.Portal + "/rest/", ServerEndpoint: f.info.OAuth + "/rest/",
		TokenHash: leads.HashToken(leads.Secret(f.info.ApplicationToken)),
	})
}

// install installs the application in the emulated portal and returns the decision on its
// callback.
func (f *fixture) install(change func(*bitrix24.Callback)) portals.Decision {
	f.t.Helper()
	return f.decide(func(events string) { f.portal.Install(events, "") }, change)
}

// decide returns the decision on the last callback that the portal posts.
func (f *fixture) decide(cause func(eventsURL string), change func(*bitrix24.Callback)) portals.Decision {
	f.t.Helper()
	var mu sync.Mutex
	var decision portals.Decision
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		cb, err := bitrix24.ParseCallback(string(body))
		if err != nil {
			f.t.Error(err)
		}
		if change != nil {
			change(&cb)
		}
		mu.Lock()
		defer mu.Unlock()
		decision = f.registry.Install(r.Context(), cb)
		f.registry.Count(r.Context(), decision)
	}))
	defer server.Close()
	cause(server.URL)
	f.drain()
	mu.Lock()
	defer mu.Unlock()
	return decision
}

// drain waits until all callbacks of the portal are answered.
func (f *fixture) drain() {
	f.t.Helper()
	if err := f.portal.DrainCallbacks(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// logIn goes to the portal's log-in and returns what it sends back.
func (f *fixture) logIn() portals.Redirect {
	f.t.Helper()
	f.portal.Install("", "http://127.0.0.1:1/back")
	to, decision := f.registry.Destination(f.t.Context(), hostOf(f.t, f.info.Portal))
	if decision.Reason != portals.Accepted || !to.Known {
		f.t.Fatalf("destination %+v: %s %v", to, decision.Reason, decision.Err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.Get(to.Endpoint + "oauth/authorize/?" + url.Values{"client_id": {to.ClientID}, "state": {"s"}}.Encode())
	if err != nil {
		f.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	back, err := url.Parse(response.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		f.t.Fatalf("the portal answered %d with %q", response.StatusCode, response.Header.Get("Location"))
	}
	q := back.Query()
	return portals.Redirect{Server: q.Get("server_domain"), MemberID: q.Get("member_id"), Code: q.Get("code")}
}

// loggedIn makes the portal known by a log-in alone, and returns an access token of it, as
// a user's callback carries one.
func (f *fixture) loggedIn() leads.Secret {
	f.t.Helper()
	if d := f.registry.Authorize(f.t.Context(), f.logIn()); d.Reason != portals.Accepted {
		f.t.Fatalf("%s: %v", d.Reason, d.Err)
	}
	return f.grant().AccessToken
}

func (f *fixture) grant() leads.Grant {
	f.t.Helper()
	grant, ok, err := f.db.Grant(f.t.Context(), f.info.MemberID)
	if err != nil || !ok {
		f.t.Fatal(ok, err)
	}
	return grant
}

// stored is what the database knows of a portal.
func (f *fixture) stored(memberID string) leads.Portal {
	f.t.Helper()
	p, _, err := f.db.Portal(f.t.Context(), memberID)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// portals is how many portals the database knows.
func (f *fixture) portals() int {
	f.t.Helper()
	all, err := f.db.Portals(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return len(all)
}

// recognise decides on a lead's callback.
func (f *fixture) recognise(member, token string) portals.Decision {
	f.t.Helper()
	return f.registry.Recognise(f.t.Context(), callback(member, token))
}

func callback(member, token string) bitrix24.Callback {
	return bitrix24.Callback{Event: bitrix24.LeadAdd, LeadID: 7, MemberID: member, ApplicationToken: leads.Secret(token)}
}

// unverified is the entry of a callback that waits for verification.
func unverified(member, token string) events.Entry {
	return events.Entry{}.Unverified(member, leads.HashToken(leads.Secret(token)))
}

// verify decides on an entry that waits.
func (f *fixture) verify(member, token string) bool {
	f.t.Helper()
	genuine, err := f.registry.Verify(f.t.Context(), unverified(member, token))
	if err != nil {
		f.t.Fatal(err)
	}
	return genuine
}
