package service

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// emptyMirror is a database with one portal, of which nothing is imported.
func emptyMirror(t *testing.T) (*repo.DB, string) {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const member = "a223c6b3710f85df22e9377d6c4f7553"
	if err := db.SavePortal(t.Context(), leads.Portal{MemberID: member, Domain: "company.bitrix24.com", State: leads.PortalActive}); err != nil {
		t.Fatal(err)
	}
	return db, member
}

// Where callbacks were spooled, what was changed is compared; where some were lost, the
// ids too, since a deletion may have been among them. Before the import there is nothing.
func TestPassesFollowSpooledOrLostCallbacks(t *testing.T) {
	db, member := emptyMirror(t)
	s := &incidentRecorder{db: db, catchUp: true, now: time.Now, log: leadstest.Silent()}
	requested := func() (modes []leads.RunMode) {
		runs, err := db.Runs(t.Context(), member, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			if run.State == leads.RunRequested {
				modes = append(modes, run.Mode)
			}
		}
		slices.Sort(modes)
		return modes
	}
	s.catchUpAfter(t.Context(), leads.IncidentSpooled)
	if got := requested(); len(got) != 0 {
		t.Errorf("before the import: %v", got)
	}
	if _, err := db.RequestRun(t.Context(), leads.Run{MemberID: member, Mode: leads.RunImport}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.RaiseEpoch(t.Context(), member, "test"); err != nil {
		t.Fatal(err)
	}
	run, _, err := db.ClaimRun(t.Context(), member)
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.FinishedAt, run.PortalAt = leads.RunCompleted, time.Now(), time.Now()
	if err := db.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	s.catchUpAfter(t.Context(), leads.IncidentSpooled)
	if got := requested(); !slices.Equal(got, []leads.RunMode{leads.RunChanged}) {
		t.Errorf("after the spool was used: %v", got)
	}
	s.catchUpAfter(t.Context(), leads.IncidentRefused)
	if got := requested(); !slices.Equal(got, []leads.RunMode{leads.RunChanged, leads.RunIDs}) {
		t.Errorf("after callbacks were lost: %v", got)
	}
}
