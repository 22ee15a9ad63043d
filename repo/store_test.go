package repo_test

import (
	"errors"
	"path/filepath"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// The database itself rejects a write that is not newer than the row, or that was decided for
// an earlier state of the row.
func TestStatementsRejectOlderReads(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { refused(t, "sqlite:"+filepath.Join(t.TempDir(), "mirror.db")) })
	t.Run("SQLServer", func(t *testing.T) { refused(t, sqlServer(t).URL(t)) })
}

func refused(t *testing.T, url string) {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	snapshot := func(ticket leads.Ticket, title string) leads.Snapshot {
		lead, err := leads.Parse([]byte(`{"ID":"1","TITLE":"` + title + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		return leads.Snapshot{Ref: leads.Ref{MemberID: "abc", LeadID: 1}, Ticket: ticket, Lead: lead}
	}
	if _, err := db.Apply(t.Context(), []leads.Snapshot{snapshot(5, "five")}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		ticket leads.Ticket
		was    leads.Ticket
		want   error
	}{
		{"an older read", 4, 5, repo.ErrStale},
		{"the same read", 5, 5, repo.ErrStale},
		{"a row that has changed since", 6, 3, repo.ErrStale},
		{"a newer read", 6, 5, nil},
	} {
		s := snapshot(c.ticket, c.name)
		if err := db.StoreUndecided(t.Context(), &s, c.was); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
