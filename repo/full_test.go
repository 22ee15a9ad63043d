package repo

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/leads"
)

// Where the disk is full while many rows are written at once, SQLite rolls back by itself. That there is then nothing left to
// roll back is no error that anybody should read.
func TestFullDiskIsNamedAlone(t *testing.T) {
	db, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := make([]leads.Snapshot, 200)
	for i := range batch {
		lead, err := leads.Parse(fmt.Appendf(nil, `{"ID":"%d","COMMENTS":"%s"}`, i+1, strings.Repeat("x", 3000)))
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: lead.ID}, Ticket: 1, Lead: lead}
	}
	pages := 0
	if err := db.write.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	grow := func(by int) {
		t.Helper()
		if _, err := db.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages+by)); err != nil { // it takes no parameters
			t.Fatal(err)
		}
	}
	grow(2)
	if _, err := db.Apply(t.Context(), batch); err == nil || !strings.HasSuffix(err.Error(), "database or disk is full (13)") {
		t.Errorf("%v, want that the disk is full", err)
	}
	grow(1000)
	if outcomes, err := db.Apply(t.Context(), batch); err != nil || outcomes[199].Verdict != leads.Inserted {
		t.Errorf("%v, %v: nothing of the first attempt may be left, and all must be written now", outcomes, err)
	}
}
