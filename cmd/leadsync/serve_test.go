package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/demo"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
	"leadsync/service"
)

// testServer is a running `leadsync serve` beside an emulated portal.
type testServer struct {
	portal *emulator.Portal
	vars   map[string]string
	url    string // of the public face
	log    *leadstest.Log
	stop   func() int // stops it and returns its exit code
	ended  chan int   // has the exit code when it has ended
}

func startServe(t *testing.T, p *emulator.Portal, more map[string]string) *testServer {
	t.Helper()
	return startServeWith(t, p, more, func(ctx context.Context, s *testServer) int {
		return run(ctx, []string{"serve"}, around(s.vars, s.log, s.log))
	})
}

// startAccelerated starts a service whose periodic checks (offline queue, bindings, test
// events, absent leads) run 60 times as often.
func startAccelerated(t *testing.T, p *emulator.Portal, more map[string]string) *testServer {
	t.Helper()
	return startServeWith(t, p, more, func(ctx context.Context, s *testServer) int {
		cfg, err := service.ReadConfig(environmentOf(s.vars))
		if err != nil {
			t.Error(err)
			return exitUsage
		}
		cfg.Tuning = service.Tuning{TimeScale: 60, MinAge: time.Millisecond, Grace: time.Second}
		if err := service.Serve(ctx, cfg, service.NewLog(s.log, cfg)); err != nil {
			t.Error(err)
			return exitFailure
		}
		return exitOK
	})
}

func startServeWith(t *testing.T, p *emulator.Portal, more map[string]string, serve func(context.Context, *testServer) int) *testServer {
	t.Helper()
	s := launchServe(t, p, more, serve)
	s.untilReady(t)
	return s
}

// untilReady waits until the service has no problem.
func (s *testServer) untilReady(t *testing.T) {
	t.Helper()
	eventually(t, "the service is ready", func() bool {
		if len(s.ended) > 0 {
			t.Fatalf("serve ended: %s", s.log)
		}
		return s.status(t, "/readyz") == http.StatusOK
	})
}

// launchServe starts a service and does not wait for it.
func launchServe(t *testing.T, p *emulator.Portal, more map[string]string, serve func(context.Context, *testServer) int) *testServer {
	t.Helper()
	address := freeAddress(t)
	s := &testServer{portal: p, url: "http://" + address, log: &leadstest.Log{}}
	s.vars = map[string]string{
		"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": address, "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", "LEADSYNC_PUBLIC_URL": s.url,
		"LEADSYNC_NATS_LISTEN": "127.0.0.1:0", "LEADSYNC_B24_INSECURE_HOSTS": host(p.Info().Portal) + "," + host(p.Info().OAuth),
		"LEADSYNC_B24_CLIENT_ID": p.Info().ClientID, "LEADSYNC_B24_CLIENT_SECRET": p.Info().ClientSecret,
	}
	maps.Copy(s.vars, more)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	s.ended = ended
	go func() { ended <- serve(ctx, s) }()
	stopped := -1
	s.stop = func() int {
		if cancel(); stopped < 0 {
			stopped = <-ended
		}
		return stopped
	}
	t.Cleanup(func() {
		if s.stop(); t.Failed() {
			t.Logf("the log of the service at %s:\n%s", s.url, s.log)
		}
	})
	return s
}

// admin is where the operators' face listens.
func (s *testServer) admin() string { return adminOf(s.vars["LEADSYNC_DATA_DIR"]) }

// status is how a path of the operators' face is answered.
func (s *testServer) status(tb testing.TB, path string) int {
	tb.Helper()
	resp, err := http.Get(s.admin() + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// eventually waits far longer than anything takes: a slow machine is not a failure, and a test
// that hangs says what it waits for.
func eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	within(tb, 10*time.Minute, what, done)
}

func within(tb testing.TB, limit time.Duration, what string, done func() bool) {
	tb.Helper()
	never := time.After(limit)
	for {
		begun := time.Now()
		if done() {
			return
		}
		select {
		case <-never:
			tb.Fatal("did not happen: " + what)
		case <-time.After(max(20*time.Millisecond, 4*time.Since(begun))): // who looks all the time slows down what it waits for
		}
	}
}

// mirror opens the service's database beside it.
func (s *testServer) mirror(tb testing.TB) *repo.DB {
	tb.Helper()
	db, err := repo.Open(tb.Context(), repo.Config{URL: "sqlite:" + filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "leadsync.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

func (s *testServer) member() string { return s.portal.Info().MemberID }

// equal tells whether the mirror shows what the portal shows.
func (s *testServer) equal(tb testing.TB, db *repo.DB) bool {
	tb.Helper()
	var r demo.Result
	truth := maps.Collect(s.portal.Leads())
	rows, err := db.Range(tb.Context(), s.member(), 0, leads.MaxID, 100_000)
	if err != nil {
		tb.Fatal(err)
	}
	for _, row := range rows {
		r.CompareRow(row, truth)
		delete(truth, row.LeadID)
	}
	return len(truth) == 0 && r.Differences == 0
}

// untilImported waits until the first pass has ended, so that later findings come from later
// changes.
func (s *testServer) untilImported(tb testing.TB, db *repo.DB) {
	tb.Helper()
	eventually(tb, "the leads are imported", func() bool {
		run, ok, err := db.LastCompleted(tb.Context(), s.member())
		if err != nil {
			tb.Fatal(err)
		}
		return ok && run.Mode == leads.RunImport
	})
	if !s.equal(tb, db) {
		tb.Error("the mirror is not equal after the import")
	}
}

// startEmulator starts a portal without an offline queue: what callbacks miss must not come
// another way.
func startEmulator(tb testing.TB, cfg emulator.Config) *emulator.Portal {
	tb.Helper()
	cfg.Switches.NoOffline = true
	return startFullEmulator(tb, cfg)
}

// startFullEmulator starts a portal with its offline queue.
func startFullEmulator(tb testing.TB, cfg emulator.Config) *emulator.Portal {
	tb.Helper()
	p, err := emulator.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

func TestServeMirrorsAPortalThatInstalls(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 120, Seed: 4})
	s := startServe(t, p, map[string]string{"LEADSYNC_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "Звонок из Oktell", "COMMENTS": "'; drop table bitrix_leads; -- 🙂"}); err != nil {
		t.Fatal(err)
	}
	gone, _ := p.RandomID()
	for gone == id {
		gone, _ = p.RandomID()
	}
	if err := p.Delete(gone); err != nil {
		t.Fatal(err)
	}
	added := p.Add(3)
	eventually(t, "changes arrive by events", func() bool { return s.equal(t, db) })

	t.Run("reports can join custom fields with their types", func(t *testing.T) {
		raw := s.rawDB(t)
		var enumerations, values int
		err := raw.QueryRowContext(t.Context(), `SELECT COUNT(DISTINCT t.field), COUNT(f.value) FROM leadsync_field_types AS t
			LEFT JOIN leadsync_lead_fields AS f ON f.member_id = t.member_id AND f.field = t.field WHERE t.type = 'enumeration'`).Scan(&enumerations, &values)
		if err != nil || enumerations == 0 || values == 0 {
			t.Errorf("%d enumerations with %d values (%v)", enumerations, values, err)
		}
	})
	t.Run("a second service leaves the data alone", func(t *testing.T) {
		code, _, stderr := command(t.Context(), t, s.vars, "serve")
		if code != exitFailure || !strings.Contains(stderr, "LEADSYNC_DATA_DIR") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
	t.Run("watch shows the current state", func(t *testing.T) {
		lines := watchLines(t, s, 123, "--from-start", "--json")
		found := false
		for _, line := range lines {
			var change leads.Change
			if err := json.Unmarshal([]byte(line), &change); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			if change.LeadID == added[0] {
				found = change.Kind == leads.Added && change.Cause == leads.CauseEvent && change.Revision == 1
			}
		}
		if !found {
			t.Errorf("lead %d was not announced as added", added[0])
		}
	})
	t.Run("reconcile finds what no callback reported", func(t *testing.T) {
		p.SetFaults(emulator.Faults{Lose: 1})
		missed := p.Add(2)
		p.Advance(2 * time.Minute) // or the pass would leave them out as too young
		var sums leads.Summary
		code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--json")
		if err := json.Unmarshal([]byte(stdout), &sums); err != nil || code != exitOK {
			t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
		}
		if sums.Missed != int64(len(missed)) || sums.Inserted != sums.Missed || sums.Found() != sums.Missed {
			t.Errorf("sums %+v; %+v; log %s", sums, p.Stats(), s.log)
		}
		if !s.equal(t, db) {
			t.Error("the mirror is not equal after the pass")
		}
	})
	t.Run("metrics and tokens", func(t *testing.T) {
		if got := s.status(t, "/metrics"); got != http.StatusOK {
			t.Errorf("/metrics answers %d", got)
		}
		for _, secret := range []string{p.Info().ClientSecret, p.Info().ApplicationToken} {
			if strings.Contains(s.log.String(), secret) {
				t.Error("the log shows a secret")
			}
		}
	})
	if code := s.stop(); code != exitOK {
		t.Errorf("exit code %d after a stop:\n%s", code, s.log)
	}
	if _, err := os.Stat(filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "run.json")); err == nil {
		t.Error("run.json is left behind")
	}
	t.Run("reconcile works alone", func(t *testing.T) {
		code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile")
		if code != exitOK || !strings.Contains(stdout, "completed") {
			t.Errorf("exit %d: %s%s", code, stdout, stderr)
		}
	})
	t.Run("watch needs a running service", func(t *testing.T) {
		code, _, stderr := command(t.Context(), t, s.vars, "watch")
		if code != exitFailure || !strings.Contains(stderr, "leadsync serve") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
}

// watchLines runs watch until it has printed that many lines.
func watchLines(t *testing.T, s *testServer, count int, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs leadstest.Log
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"watch"}, args...), around(s.vars, &out, &errs)) }()
	eventually(t, "watch prints every lead", func() bool { return strings.Count(out.String(), "\n") >= count })
	cancel()
	if says := strings.Contains(errs.String(), "Waiting for changes"); says == slices.Contains(args, "--json") {
		t.Errorf("watch %v: it waits, and says so: %t", args, says)
	}
	if code := <-ended; code != exitOK {
		t.Errorf("watch ended with %d: %s%s", code, out.String(), errs.String())
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestServeMirrorsAPortalByWebhooks(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 30, Seed: 9})
	s := startServe(t, p, map[string]string{
		"LEADSYNC_B24_WEBHOOK_URL": p.Info().Webhook, "LEADSYNC_B24_APPLICATION_TOKEN": p.Info().WebhookApplicationToken,
		"LEADSYNC_B24_CLIENT_ID": "", "LEADSYNC_B24_CLIENT_SECRET": "",
	})
	db := s.mirror(t)
	p.OutgoingWebhook(s.url+"/bitrix24/events", "ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMLEADDELETE")
	p.Add(1) // the first callback brings the member id, and with it the import
	s.untilImported(t, db)
	id, _ := p.RandomID()
	if err := p.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an edit arrives", func() bool { return s.equal(t, db) })
	if words := "the portal's own queue of events is not used"; strings.Count(s.log.String(), words) != strings.Count(s.log.String(), "took over portal") {
		t.Errorf("not said once by each owner that %s:\n%s", words, s.log)
	}
	for method := range p.Stats().Requests {
		if strings.HasPrefix(method, "event.") {
			t.Errorf("%s was called, which a webhook may not", method)
		}
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("exit code %d after a stop:\n%s", code, s.log)
	}
}
