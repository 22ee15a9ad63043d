package main

import (
	"context"
	"flag"
	"maps"
	"path/filepath"
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

// The service starts on the call centre's database and the portal installs: at the end each row
// is equal to the portal's lead, and rows without a lead are marked as deleted.
func TestServeTakesOverAnOktellDatabase(t *testing.T) {
	t.Parallel()
	url := *oktellURL
	if url == "" {
		url = "sqlite:" + filepath.Join(t.TempDir(), "oktell.db")
	}
	repotest.Oktell(t, url, *oktellRows)
	p := startEmulator(t, emulator.Config{Leads: *oktellRows, Seed: 7, NoLimits: true})
	s := startServeWith(t, p, map[string]string{"LEADSYNC_DATABASE_URL": url}, func(ctx context.Context, s *testServer) int {
		cfg, err := service.ReadConfig(environmentOf(s.vars))
		if err != nil {
			t.Error(err)
			return exitUsage
		}
		cfg.Tuning = service.Tuning{Grace: time.Second, DeleteFloor: int64(*oktellRows)}
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
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	eventually(t, "the leads are imported", func() bool {
		_, ok, err := db.LastCompleted(t.Context(), s.member())
		return err == nil && ok
	})
	code, _, stderr := command(t.Context(), t, s.vars, "reconcile")
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
	t.Logf("%d rows, %d of them of leads that the portal does not have", len(rows), marked)
}
