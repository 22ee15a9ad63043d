package repo_test

import (
	"path/filepath"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// What is counted is what the driver gets, whether a statement is prepared first or not.
func TestStatementsAreCounted(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		counted(t, func() string { return "sqlite:" + filepath.Join(t.TempDir(), "mirror.db") })
	})
	t.Run("SQLServer", func(t *testing.T) {
		server := sqlServer(t)
		counted(t, func() string { return server.URL(t) })
	})
}

// counted does the same over connections that are recorded, which prepare everything, and over
// those of the service.
func counted(t *testing.T, url func() string) {
	t.Helper()
	var calls recorder
	for name, open := range map[string]func(cfg repo.Config) (*repo.DB, error){
		"recorded":   func(cfg repo.Config) (*repo.DB, error) { return repo.OpenThrough(t.Context(), cfg, calls.wrap) },
		"unrecorded": func(cfg repo.Config) (*repo.DB, error) { return repo.Open(t.Context(), cfg) },
	} {
		db, err := open(repo.Config{URL: url()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for work, do := range map[string]func() error{
			"a query": func() error { _, err := db.Portals(t.Context()); return err },
			"a write": func() error {
				_, err := db.BeatAll(t.Context(), []string{"abc"})
				return err
			},
			"a few leads": func() error {
				_, err := db.Apply(t.Context(), []leads.Snapshot{benchmarkCard(t, 1, 1, 1)})
				return err
			},
			"many leads": func() error {
				var batch []leads.Snapshot
				for id := range int64(300) {
					batch = append(batch, benchmarkCard(t, leads.Ticket(id+10), id+100, 1))
				}
				_, err := db.Apply(t.Context(), batch)
				return err
			},
		} {
			before := db.Statements()
			calls.take()
			if err := do(); err != nil {
				t.Fatalf("%s, %s: %v", name, work, err)
			}
			got, want := db.Statements()-before, int64(1)
			switch {
			case name == "recorded":
				want = calls.statements()
			case strings.HasSuffix(work, "leads"):
				if want = got; got < 4 { // as many as recorded, but for what a session learns once
					t.Errorf("%s, %s: %d statements are counted", name, work, got)
				}
			}
			if got != want {
				t.Errorf("%s, %s: %d statements are counted, %d were sent", name, work, got, want)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// statements is how many were sent since the last take, bulk copies left out.
func (r *recorder) statements() (n int64) {
	for _, c := range r.take() {
		if c.what == "statement" && !strings.HasPrefix(c.text, "INSERTBULK") {
			n++
		}
	}
	return n
}
