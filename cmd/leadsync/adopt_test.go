package main

import (
	"context"
	"flag"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/demo"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
	"leadsync/service"
)

var (
	oktellURL  = flag.String("oktell-url", "", "an empty database of SQL Server in which TestServeTakesOverAnOktellDatabase makes Oktell's tables; empty: a SQLite file")
	oktellRows = flag.Int("oktell-rows", 300, "how many leads it has")
)

// The service starts on the call centre's database, leaves it alone and takes callbacks. After leadsync
// migrate it goes on by itself, with the portal that has been installed meanwhile: at the end each row
// is equal to the portal's lead, and rows without a lead are marked as deleted.
func TestServeTakesOverAnOktellDatabase(t *testing.T) {
	t.Parallel()
	url := *oktellURL
	if url == "" {
		url = "sqlite:" + filepath.Join(t.TempDir(), "oktell.db")
	}
	repotest.Oktell(t, url, *oktellRows)
	p := startEmulator(t, emulator.Config{Leads: *oktellRows, Seed: 7, NoLimits: true})
	s := launchServe(t, p, map[string]string{"LEADSYNC_DATABASE_URL": url}, func(ctx context.Context, s *testServer) int {
		cfg, err := service.ReadConfig(environmentOf(s.vars))
		if err != nil {
			t.Error(err)
			return exitUsage
		}
		cfg.Tuning = service.Tuning{Grace: time.Second, DeleteFloor: int64(*oktellRows), TimeScale: 60}
		if err := service.Serve(ctx, cfg, service.NewLog(s.log, cfg)); err != nil {
			t.Error(err)
			return exitFailure
		}
		return exitOK
	})
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.waitsForAPerson(t, db)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	code, stdout, stderr := command(t.Context(), t, s.vars, "migrate")
	if code != exitOK {
		t.Fatalf("migrate: exit %d: %s", code, stderr)
	}
	t.Logf("migrate printed:\n%s", stdout)
	eventually(t, "the leads are imported", func() bool {
		_, ok, err := db.LastCompleted(t.Context(), s.member())
		return err == nil && ok
	})
	code, _, stderr = command(t.Context(), t, s.vars, "reconcile")
	if code != exitOK {
		t.Fatalf("reconcile: exit %d: %s", code, stderr)
	}
	truth := maps.Collect(p.Leads())
	rows, err := db.Range(t.Context(), s.member(), 0, leads.MaxID, 10*len(truth))
	if err != nil {
		t.Fatal(err)
	}
	var r demo.Result
	marked := 0
	for _, row := range rows {
		if _, there := truth[row.LeadID]; !there && row.Deleted {
			marked++
			continue
		}
		r.CompareRow(row, truth)
		delete(truth, row.LeadID)
	}
	if len(truth) > 0 || r.Differences > 0 {
		t.Errorf("%d leads are missing, %d rows differ", len(truth), r.Differences)
	}
	if marked == 0 {
		t.Error("no row was marked as deleted: the test proves nothing")
	}
	s.untilReady(t)
	t.Logf("%d rows, %d of them of leads that the portal does not have", len(rows), marked)
}

// waitsForAPerson wants the service to say what it waits for, and to have left the database alone.
func (s *testServer) waitsForAPerson(t *testing.T, db *repo.DB) {
	t.Helper()
	eventually(t, "readiness says what to do", func() bool {
		return strings.Contains(s.body(t, "/readyz"), "run leadsync migrate") && strings.Contains(s.log.String(), "run leadsync migrate")
	})
	if got := s.status(t, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", got)
	}
	if foreign, err := db.NeedsAdoption(t.Context()); err != nil || !foreign {
		t.Errorf("the database was taken over without a person: %v", err)
	}
	for _, name := range [][]string{{"portals", "list"}, {"reconcile"}} {
		if code, _, stderr := command(t.Context(), t, s.vars, name...); code != exitFailure || !strings.Contains(stderr, "run leadsync migrate") {
			t.Errorf("%v: exit %d: %s", name, code, stderr)
		}
	}
}

func (s *testServer) body(tb testing.TB, path string) string {
	tb.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Error(err)
	}
	return string(text)
}
