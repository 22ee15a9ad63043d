package repo_test

import (
	"context"
	"database/sql"
	"flag"
	"strings"
	"testing"
	"time"

	"leadsync/repo"
	"leadsync/repo/repotest"
)

var adoptMany = flag.Int("adopt", 0, "how many leads TestAdoptMany takes over, a multiple of 20,000; 0 skips it")

// TestAdoptMany takes over a large database, while somebody reads it, and claims its leads. Its
// times are printed; only what is in the tables can fail it.
func TestAdoptMany(t *testing.T) {
	if *adoptMany == 0 {
		t.Skip("takes minutes: run it with -adopt 1000000")
	}
	t.Run("SQLite", func(t *testing.T) { takeOverMany(t, repotest.SQLite(), "sqlite") })
	t.Run("SQLServer", func(t *testing.T) { takeOverMany(t, sqlServer(t), "sqlserver") })
}

func takeOverMany(t *testing.T, server repotest.Server, driver string) {
	t.Helper()
	url := server.URL(t)
	began := time.Now()
	repotest.OktellMany(t, url, *adoptMany)
	t.Logf("made %d leads in %s", *adoptMany, time.Since(began).Round(time.Second))
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ctx, stop := context.WithCancel(t.Context())
	longest := readMeanwhile(ctx, t, url, driver)
	began = time.Now()
	step, batches := "", 0
	done, err := db.Adopt(t.Context(), func(p repo.Progress) {
		batches++
		if p.Step != step || batches%100 == 0 {
			t.Logf("%6s %s: %d of %d", time.Since(began).Round(time.Second), p.Step, p.Done, p.Total)
		}
		step = p.Step
	})
	stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("taken over in %s, %d reports: %+v; a reader waited %s at most", time.Since(began).Round(time.Second), batches, done, <-longest)
	if done.Leads != int64(*adoptMany) || done.Unclaimed != done.Leads {
		t.Errorf("%d leads, %d of no portal, want %d", done.Leads, done.Unclaimed, *adoptMany)
	}
	began = time.Now()
	claimed, err := db.Claim(t.Context(), "a223c6b3710f85df22e9377d6c4f7553", nil)
	if err != nil || claimed.Leads != done.Leads {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	t.Logf("claimed in %s: %+v", time.Since(began).Round(time.Second), claimed)
}

// readMeanwhile reads as reports do until the context ends, and then sends the longest wait.
func readMeanwhile(ctx context.Context, t *testing.T, url, driver string) <-chan time.Duration {
	t.Helper()
	raw, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	longest := make(chan time.Duration, 1)
	go func() {
		worst := time.Duration(0)
		for id := 1; ctx.Err() == nil; id++ {
			began := time.Now()
			var title sql.NullString
			_ = raw.QueryRowContext(ctx, "SELECT MAX(sql_TITLE) FROM bitrix_leads WHERE Id = "+[]string{"1", "5000", "19999"}[id%3]).Scan(&title)
			if took := time.Since(began); ctx.Err() == nil {
				worst = max(worst, took)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		longest <- worst
	}()
	return longest
}
