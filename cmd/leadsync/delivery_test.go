package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// metric is a number of /metrics, whatever its labels; -1 where it is not there.
func (s *testServer) metric(t *testing.T, name string) float64 {
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

// Every callback is lost and no pass runs: the portal's offline queue brings all changes.
func TestOfflineQueueAloneBringsEveryChange(t *testing.T) {
	t.Parallel()
	p := startFullEmulator(t, emulator.Config{Leads: 80, Seed: 11})
	s := startAccelerated(t, p, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off"})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	eventually(t, "offline events are bound and a test event arrives", func() bool {
		log := s.log.String()
		return strings.Contains(log, "offline events bound") && wasAnswered(p, "ONAPPTEST", http.StatusOK)
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
	eventually(t, "what callbacks lost is counted", func() bool { return s.metric(t, "leadsync_portal_callbacks_missed_total") >= 20 })
	eventually(t, "the alarm is raised", func() bool { return s.metric(t, "leadsync_portal_callbacks_silent") == 1 })
	if n := s.metric(t, "leadsync_portal_offline_events_total"); n < 20 {
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

// wasAnswered tells whether a callback of that event was answered with that status.
func wasAnswered(p *emulator.Portal, event string, status int) bool {
	for _, c := range p.Callbacks() {
		if c.Event == event && c.Status == status {
			return true
		}
	}
	return false
}

// wantCause checks the cause of a lead's last change.
func wantCause(t *testing.T, s *testServer, id int64, cause leads.Cause) {
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

// Bitrix24 removes the handlers when an application is updated, without a notice: the hourly
// check binds them again, logs since when they may have been missing, and starts a full pass.
func TestRemovedHandlersAreBoundAgain(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 40, Seed: 12})
	s := startAccelerated(t, p, noPasses)
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	grant, _, err := db.Grant(t.Context(), s.member())
	if err != nil {
		t.Fatal(err)
	}
	app := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(p.Info().Portal + "/rest/"), Tokens: fixedToken(grant.AccessToken)})
	// A pass that the machine's slowness brings may find an edit before the check of the handlers
	// does, and knows nothing of them.
	eventually(t, "findings name the reason", func() bool {
		if err := app.Events().Unbind(t.Context(), s.url+"/bitrix24/events"); err != nil {
			t.Fatal(err)
		}
		id, _ := p.RandomID()
		if err := p.Edit(id, map[string]any{"TITLE": "nobody was told"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the edit is found", func() bool { return s.equal(t, db) })
		eventually(t, "the handlers are bound", func() bool {
			bound, err := app.Events().Bindings(t.Context())
			return err == nil && len(bound) >= len(bitrix24.Bound)
		})
		return s.foundBecause(t, db, "the handlers were not bound")
	})
}

// foundBecause tells whether a pass has reported a difference with that cause.
func (s *testServer) foundBecause(t *testing.T, db *repo.DB, cause string) bool {
	t.Helper()
	runs, err := db.Runs(t.Context(), s.member(), 50)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(runs, func(run leads.Run) bool {
		code, stdout, _ := command(t.Context(), t, s.vars, "reconcile", "findings", run.ID)
		return code == exitOK && strings.Contains(stdout, cause)
	})
}

// fixedToken is an access token that is never refreshed.
type fixedToken leads.Secret

func (t fixedToken) Token(context.Context) (leads.Secret, error) { return leads.Secret(t), nil }

func (t fixedToken) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

func (t fixedToken) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }
