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
	// Where the take-over lasts longer than Bitrix24 waits for an answer, the installation is
	// refused, and a person repeats it.
	eventually(t, "the portal is installed", func() bool {
		portals, err := db.Portals(t.Context())
		if err == nil && len(portals) > 0 {
			return true
		}
		if s.status(t, "/readyz") == http.StatusOK {
			p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
			time.Sleep(2 * time.Second) // a person is no faster
		}
		return false
	})
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
	resp, err := http.Get(s.admin() + path)
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

// leadsSeen are how many rows reports see, and how many leads they are.
func leadsSeen(t *testing.T, s *testServer) (rows, different int) {
	t.Helper()
	err := s.rawDB(t).QueryRowContext(t.Context(), "SELECT COUNT(*), COUNT(DISTINCT sql_ID) FROM bitrix_leads").Scan(&rows, &different)
	if err != nil {
		t.Fatal(err)
	}
	return rows, different
}

// startBesideAnotherPortal starts a service on a call centre's database whose tokens name another
// portal, and imports one.
func startBesideAnotherPortal(t *testing.T) (s *testServer, p *emulator.Portal) {
	t.Helper()
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "leadsync.db")
	repotest.Oktell(t, url, 200)
	if code, stdout, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATA_DIR": dir}, "migrate"); code != exitOK || !strings.Contains(stdout, "200 leads belong to no portal yet") {
		t.Fatalf("migrate: exit %d: %s%s", code, stdout, stderr)
	}
	p = startEmulator(t, emulator.Config{Leads: 200, Seed: 7, NoLimits: true})
	s = startServe(t, p, map[string]string{"LEADSYNC_DATA_DIR": dir})
	if _, err := s.rawDB(t).ExecContext(t.Context(), "UPDATE bitrix_oauth SET member_id = 'bbbbc6b3710f85df22e9377d6c4f7553'"); err != nil {
		t.Fatal(err)
	}
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, s.mirror(t))
	return s, p
}

// Rows of an adopted database that no portal gets by itself are reported everywhere, until a person
// says whose they are; then reports see each lead once.
func TestAPersonClaimsAdoptedLeads(t *testing.T) {
	t.Parallel()
	s, p := startBesideAnotherPortal(t)
	rows, different := leadsSeen(t, s)
	if rows == different {
		t.Fatal("no lead is there twice: the test would prove nothing")
	}
	if body := s.body(t, "/readyz"); !strings.Contains(body, "200 leads of an adopted database belong to no portal") {
		t.Errorf("readiness: %s", body)
	}
	if !strings.Contains(s.log.String(), "belong to no portal") {
		t.Errorf("the log does not say it: %s", s.log)
	}
	for _, words := range [][]string{{"portals", "list"}, {"portals", "show", s.member()}, {"migrate"}} {
		if _, stdout, _ := command(t.Context(), t, s.vars, words...); !strings.Contains(stdout, "200 leads of an adopted database belong to no portal") {
			t.Errorf("%v: %s", words, stdout)
		}
	}
	if code, _, _ := command(t.Context(), t, s.vars, "portals", "claim", "nobody.bitrix24.ru"); code != exitUsage {
		t.Errorf("a portal that nobody knows: exit %d", code)
	}
	code, stdout, stderr := command(t.Context(), t, s.vars, "portals", "claim", s.member())
	if code != exitOK || !strings.Contains(stdout, "has got") {
		t.Fatalf("claim: exit %d: %s%s", code, stdout, stderr)
	}
	t.Logf("claim printed:\n%s", stdout)
	s.untilReady(t)
	if rows, different := leadsSeen(t, s); rows != different {
		t.Errorf("%d rows of %d leads", rows, different)
	}
	if code, stdout, _ := command(t.Context(), t, s.vars, "portals", "claim", s.member()); code != exitOK || !strings.Contains(stdout, "no rows wait") {
		t.Errorf("once more: exit %d: %s", code, stdout)
	}
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "after the claim"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "edits arrive", func() bool { return titled(t, s, id) == "after the claim" })
}

func titled(t *testing.T, s *testServer, id int64) (title string) {
	t.Helper()
	if err := s.rawDB(t).QueryRowContext(t.Context(), "SELECT COALESCE(MAX(sql_TITLE), '') FROM bitrix_leads WHERE sql_ID = ?", id).Scan(&title); err != nil {
		t.Fatal(err)
	}
	return title
}

// When the old tokens are deleted, the only portal gets the rows at the next start, although it has
// read the same leads itself meanwhile.
func TestDeletedTokensLetTheOnlyPortalClaim(t *testing.T) {
	t.Parallel()
	s, p := startBesideAnotherPortal(t)
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit %d", code)
	}
	if _, err := s.rawDB(t).ExecContext(t.Context(), "DELETE FROM bitrix_oauth WHERE refresh_token_hash IS NULL"); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"LEADSYNC_DATA_DIR": s.vars["LEADSYNC_DATA_DIR"]}
	s = startServe(t, p, vars)
	eventually(t, "the portal has the rows", func() bool {
		rows, different := leadsSeen(t, s)
		return rows == different && strings.Contains(s.log.String(), "existing rows of the database now belong to this portal")
	})
	if rows, _ := leadsSeen(t, s); rows < 200 {
		t.Errorf("%d rows are left", rows)
	}
}
