package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// noPasses are the variables of a service that starts no passes by itself.
var noPasses = map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off"}

// serveImported serves a portal with that many leads and waits until they are imported.
func serveImported(t *testing.T, count int, more map[string]string) *testServer {
	t.Helper()
	p := startEmulator(t, emulator.Config{Leads: count, Seed: 4, NoLimits: true})
	s := startServe(t, p, more)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, s.mirror(t))
	return s
}

func summary(t *testing.T, stdout string) leads.Summary {
	t.Helper()
	var sums leads.Summary
	if err := json.Unmarshal([]byte(stdout), &sums); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return sums
}

func TestReconcileReportsWhatItFoundAndWhy(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 60, noPasses)
	s.portal.SetFaults(emulator.Faults{Lose: 1})
	id, _ := s.portal.RandomID()
	if err := s.portal.Edit(id, map[string]any{"TITLE": "nobody told"}); err != nil {
		t.Fatal(err)
	}
	s.portal.Advance(time.Hour)
	code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--changed", "--json")
	if sums := summary(t, stdout); code != exitOK || sums.Mode != leads.RunChanged || sums.Stale != 1 || sums.Updated != 1 {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, _ = command(t.Context(), t, s.vars, "reconcile", "findings", "last")
	if code != exitOK || !strings.Contains(stdout, "stale") || !strings.Contains(stdout, "no callback seen") || !strings.Contains(stdout, "TITLE") || !strings.Contains(stdout, "1 h ") {
		t.Errorf("findings, exit %d: %s", code, stdout)
	}
	code, stdout, _ = command(t.Context(), t, s.vars, "reconcile", "history")
	if code != exitOK || !strings.Contains(stdout, "import") || !strings.Contains(stdout, "changed") {
		t.Errorf("history, exit %d: %s", code, stdout)
	}
	if code, _, stderr = command(t.Context(), t, s.vars, "reconcile", "findings", "nonsense"); code != exitUsage || !strings.Contains(stderr, "history") {
		t.Errorf("findings of nothing, exit %d: %s", code, stderr)
	}
}

func TestReconcileExitsOneWhenAPersonIsNeeded(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 300, noPasses)
	s.portal.SetFaults(emulator.Faults{Hidden: 0.5})
	code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--json")
	if sums := summary(t, stdout); code != exitFailure || sums.Deleted != 0 || sums.Unreadable < 100 || !strings.Contains(stderr, "denies access") {
		t.Errorf("a permission shrink, exit %d: %s%s", code, stdout, stderr)
	}
	s.portal.SetFaults(emulator.Faults{Lose: 1})
	gone := 0
	for id := range s.portal.Leads() {
		if gone++; gone > 150 {
			break
		}
		if err := s.portal.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr = command(t.Context(), t, s.vars, "reconcile", "--json")
	if sums := summary(t, stdout); code != exitFailure || sums.Deleted != 0 || sums.Phantom != 150 || !strings.Contains(stderr, "--max-deletes 150") {
		t.Errorf("too many deletions, exit %d: %s%s", code, stdout, stderr)
	}
	eventually(t, "metrics show the deletions that are held back, and the problem", func() bool {
		return s.metric(t, "leadsync_portal_deletions_held_back") > 0 && s.metric(t, "leadsync_problem") == 1 && s.metric(t, "leadsync_ready") == 0
	})
	if code, _, _ = command(t.Context(), t, s.vars, "reconcile", "--resume"); code != exitUsage {
		t.Errorf("nothing was paused, exit %d", code)
	}
}

// Ctrl-C pauses a pass at its checkpoint, here while it waits for a failing portal, and
// --resume continues it.
func TestReconcileIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 60, noPasses)
	if code := s.stop(); code != exitOK {
		t.Fatalf("serve ended with %d", code)
	}
	s.portal.SetFaults(emulator.Faults{ErrorHTML: 1})
	ctx, interrupt := context.WithCancel(t.Context())
	var out, progress leadstest.Log
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"reconcile"}, around(s.vars, &out, &progress)) }()
	eventually(t, "the pass runs", func() bool { return strings.Contains(progress.String(), "running") })
	interrupt()
	if code := <-ended; code != exitFailure || !strings.Contains(progress.String(), "go on with: leadsync reconcile --resume") {
		t.Fatalf("exit %d: %s", code, progress.String())
	}
	s.portal.SetFaults(emulator.Faults{})
	code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--resume", "--json")
	if sums := summary(t, stdout); code != exitOK || sums.State != leads.RunCompleted || sums.Scanned != 60 {
		t.Errorf("resumed, exit %d: %s%s", code, stdout, stderr)
	}
}

func TestChangesDuringDowntimeAreFoundAtStart(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 60, map[string]string{"LEADSYNC_RECONCILE_AT": "off"})
	db := s.mirror(t)
	if code := s.stop(); code != exitOK {
		t.Fatalf("serve ended with %d", code)
	}
	// The last beat is made old: the test does not wait half a minute.
	at := time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	s.exec(t, "UPDATE leadsync_owners SET beat_at = ?", at)
	id, _ := s.portal.RandomID()
	if err := s.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	for edited := range s.portal.Leads() {
		if err := s.portal.Edit(edited, map[string]any{"TITLE": "nobody listened"}); err != nil {
			t.Fatal(err)
		}
		break
	}
	keep, _ := s.portal.RandomID()
	drop, _ := s.portal.RandomID()
	for drop == keep {
		drop, _ = s.portal.RandomID()
	}
	if err := s.portal.Merge(keep, drop); err != nil {
		t.Fatal(err)
	}
	restored, _ := s.portal.RandomID() // as if it had been deleted before, and restored now
	for restored == keep {
		restored, _ = s.portal.RandomID()
	}
	s.exec(t, "UPDATE bitrix_leads SET deleted_at = ? WHERE sql_ID = ?", at, restored)
	again := startAccelerated(t, s.portal, map[string]string{"LEADSYNC_RECONCILE_AT": "off", "LEADSYNC_DATA_DIR": s.vars["LEADSYNC_DATA_DIR"]})
	eventually(t, "edits, deletions, merges and what was restored are found", func() bool {
		runs, err := db.Runs(t.Context(), again.member(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var edits, gone bool
		for _, run := range runs {
			edits = edits || run.Mode == leads.RunChanged && run.State == leads.RunCompleted && run.Updated >= 1
			gone = gone || run.Mode == leads.RunIDs && run.State == leads.RunCompleted && run.Phantom == 2 && run.Missed == 1
		}
		return edits && gone
	})
	eventually(t, "the mirror is equal right after", func() bool { return again.equal(t, db) })
	found, err := db.Incidents(t.Context(), s.member(), time.Now().Add(-2*time.Hour))
	if err != nil || len(found) == 0 || found[0].Kind != leads.IncidentDown {
		t.Errorf("incidents %v, %v", found, err)
	}
}

// exec changes the service's database by hand.
func (s *testServer) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.rawDB(t).ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// rawDB opens the service's database beside it.
func (s *testServer) rawDB(t *testing.T) *sql.DB {
	t.Helper()
	raw, err := sql.Open("sqlite", filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "leadsync.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}
