package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// metric is a number of /metrics, whatever its labels; -1 where it is not there.
func (s *served) metric(t *testing.T, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`).FindStringSubmatch(s.metrics(t))
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every callback is lost and no pass runs: the portal's own queue brings all changes.
func TestTheOfflineQueueAloneBringsEverything(t *testing.T) {
	t.Parallel()
	p := startWhole(t, emulator.Config{Leads: 80, Seed: 11})
	s := startHurried(t, p, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off"})
	db := s.mirror(t)
	p.Install(s.url+callbackPath, s.url+"/bitrix24/oauth/callback")
	s.imported(t, db)
	eventually(t, "offline events are bound, and the way in is proved", func() bool {
		log := s.log.String()
		return strings.Contains(log, "offline events bound") && rang(p, "ONAPPTEST", http.StatusOK)
	})
	p.SetFaults(emulator.Faults{Lose: 1})
	changed := p.Add(20)
	for range 20 {
		id, _ := p.RandomID()
		if err := p.Edit(id, map[string]any{"TITLE": "unheard of"}); err != nil {
			t.Fatal(err)
		}
		changed = append(changed, id)
	}
	gone, _ := p.RandomID()
	if err := p.Delete(gone); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything arrives without a callback", func() bool { return s.equal(t, db) })
	eventually(t, "what callbacks lost is counted", func() bool { return s.metric(t, "leadsync_callbacks_missed_total") >= 20 })
	eventually(t, "the alarm is raised", func() bool { return s.metric(t, "leadsync_callbacks_silent") == 1 })
	if n := s.metric(t, "leadsync_offline_events_total"); n < 20 {
		t.Errorf("%v offline events", n)
	}
	wantCause(t, s, changed[0], leads.CauseOffline)

	p.SetFaults(emulator.Faults{})
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "heard again"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an edit arrives", func() bool { return s.equal(t, db) })
	if r := p.Stats().Refusals; len(r) > 0 {
		t.Errorf("the portal refused %v", r)
	}
	for method := range p.Stats().Commands { // we bind and read, and raise no events of our own
		if strings.HasSuffix(method, ".add") || strings.HasSuffix(method, ".update") || strings.HasSuffix(method, ".delete") {
			t.Errorf("%s was called: the portal is only read", method)
		}
	}
}

// rang tells whether the portal had a callback of that event answered so.
func rang(p *emulator.Portal, event string, status int) bool {
	for _, c := range p.Callbacks() {
		if c.Event == event && c.Status == status {
			return true
		}
	}
	return false
}

// wantCause wants the last change of a lead to have come that way.
func wantCause(t *testing.T, s *served, id int64, cause leads.Cause) {
	t.Helper()
	lines := watchLines(t, s, 100, "--from-start", "--json")
	for _, line := range lines {
		var change leads.Change
		if err := json.Unmarshal([]byte(line), &change); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if change.LeadID == id {
			if change.Cause != cause {
				t.Errorf("lead %d came by %s, want %s", id, change.Cause, cause)
			}
			return
		}
	}
	t.Errorf("lead %d was not announced", id)
}

// The queue is read by the timer, and after the portal rang; rings within a while are one.
func TestTheQueueIsReadWhenItIsDue(t *testing.T) {
	d := &desk{base: &base{}}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	d.offline.at = now.Add(drainEvery)
	for _, step := range []struct {
		after time.Duration
		ring  bool
		due   bool
	}{
		{0, false, false},
		{time.Second, true, false},
		{5 * time.Second, true, false},
		{drainRung + time.Second, false, true},
		{drainRung + 2*time.Second, false, false}, // both rings were meant
		{drainEvery, false, true},
	} {
		if step.ring {
			d.Rang("ONOFFLINEEVENT")
		}
		if due := d.drainDue(now.Add(step.after)); due != step.due {
			t.Errorf("after %s: due %v, want %v", step.after, due, step.due)
		}
	}
}

// Three test events in a row that do not come are an alarm: in words, as a metric and as
// an incident that explains findings. One that comes ends it. A portal that does not
// know the method is none.
func TestTheWayInIsProvedByTestEvents(t *testing.T) {
	asked, refuse := 0, false
	bitrix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; !strings.HasSuffix(r.URL.Path, "/event.test") {
			t.Errorf("%s was called", r.URL.Path)
		}
		if refuse {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":"ERROR_METHOD_NOT_FOUND","error_description":"Method not found!"}`)
			return
		}
		_, _ = io.WriteString(w, `{"result":1}`)
	}))
	defer bitrix.Close()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	d := &desk{
		base:   &base{db: db, cfg: config{publicURL: "https://leads.example.com"}, log: slog.New(slog.DiscardHandler)},
		client: bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(bitrix.URL + "/rest/")}), boundAt: now,
	}
	d.own.Portal.MemberID = "a223c6b3710f85df22e9377d6c4f7553"
	look := func(after time.Duration, wantAsked int, alarm bool) {
		t.Helper()
		now = now.Add(after)
		if err := d.testWayIn(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if asked != wantAsked || (d.silentWords() != "") != alarm {
			t.Errorf("asked %d times, want %d; alarm %q, want %v", asked, wantAsked, d.silentWords(), alarm)
		}
	}
	answer := func() { d.heartbeat.heard.Store(now.UnixNano()) }
	look(0, 1, false)
	look(testAnswer/2, 1, false)
	answer()
	look(testAnswer, 1, false)
	look(testEvery-time.Second, 1, false)
	look(2*time.Second, 2, false)
	look(testAnswer, 3, false) // one lost
	look(testAnswer, 4, false)
	look(testAnswer, 5, true) // three lost
	began := now.Add(-3 * testAnswer)
	look(time.Hour, 6, true)
	answer()
	look(time.Second, 6, false)
	incidents, err := db.Incidents(t.Context(), d.own.Portal.MemberID, began.Add(-time.Hour))
	if err != nil || len(incidents) != 2 || incidents[1].Kind != leads.IncidentSilence || !incidents[1].Covers(began.Add(time.Minute), 0) || !incidents[1].Covers(now, time.Second) {
		t.Errorf("incidents %+v, %v", incidents, err)
	}
	refuse = true
	look(testEvery, 7, false)
	look(testAnswer, 7, false)
	look(testEvery, 8, false)
}

// Bitrix24 takes the handlers away when an application is updated, and nobody is told: the
// hourly check binds them again, says since when they may have been gone, and has
// everything compared.
func TestHandlersThatVanishedAreBoundAgain(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 40, Seed: 12})
	s := startHurried(t, p, quiet)
	db := s.mirror(t)
	p.Install(s.url+callbackPath, s.url+"/bitrix24/oauth/callback")
	s.imported(t, db)
	grant, _, err := db.Grant(t.Context(), s.member())
	if err != nil {
		t.Fatal(err)
	}
	app := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(p.Info().Portal + "/rest/"), Tokens: lent(grant.AccessToken)})
	if err := app.Events().Unbind(t.Context(), s.url+callbackPath); err != nil {
		t.Fatal(err)
	}
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "nobody was told"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edit is found", func() bool { return s.equal(t, db) })
	bound, err := app.Events().Bindings(t.Context())
	if err != nil || len(bound) < len(bitrix24.Bound) {
		t.Errorf("bound are %v, %v", bound, err)
	}
	eventually(t, "the pass has told why", func() bool {
		code, stdout, _ := command(t.Context(), t, s.vars, "reconcile", "findings", "last")
		return code == exitOK && strings.Contains(stdout, "the handlers were not bound")
	})
}

// lent is an access token of somebody else's chain.
type lent leads.Secret

func (l lent) Token(context.Context) (leads.Secret, error) { return leads.Secret(l), nil }

func (l lent) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

func (l lent) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }
