package service

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leadsync/events"
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

// What was spooled or lost while database and NATS were opened counts from the start of the
// process; what cannot be written is written later, and once.
func TestIncidentsCountFromTheStart(t *testing.T) {
	db, member := emptyMirror(t)
	began := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	now := began.Add(time.Minute)
	intake := &events.Intake{}
	r := &incidentRecorder{intake: intake, db: db, began: began, now: func() time.Time { return now }, log: leadstest.Silent()}
	intake.Spooled.Store(3)
	intake.Lost.Store(2)
	done := recorded{until: r.began}
	down, stop := context.WithCancel(t.Context())
	stop()
	r.record(down, &done)
	now = now.Add(time.Minute)
	r.record(t.Context(), &done)
	r.record(t.Context(), &done)
	got, err := db.Incidents(t.Context(), member, began.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := map[leads.IncidentKind]string{leads.IncidentSpooled: "3 callbacks of any portal", leads.IncidentRefused: "2 callbacks of any portal"}
	if len(got) != len(want) {
		t.Fatalf("%d incidents, want %d: %+v", len(got), len(want), got)
	}
	for _, i := range got {
		if i.Detail != want[i.Kind] || !i.From.Equal(began) || !i.To.Equal(now) {
			t.Errorf("%+v", i)
		}
	}
}

// A stop writes down what the last look has not seen.
func TestAStopWritesIncidentsDown(t *testing.T) {
	db, member := emptyMirror(t)
	intake := &events.Intake{}
	intake.Lost.Store(1)
	r := &incidentRecorder{intake: intake, db: db, began: time.Now(), now: time.Now, log: leadstest.Silent()}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := r.run(stopped); err != nil {
		t.Fatal(err)
	}
	got, err := db.Incidents(t.Context(), member, time.Now().Add(-time.Hour))
	if err != nil || len(got) != 1 || got[0].Kind != leads.IncidentRefused {
		t.Errorf("%+v, %v", got, err)
	}
}

// A service whose tables are not up to date is not ready, although it could read them:
// commands beside it would be told to migrate.
func TestServiceIsReadyAfterItsMigrations(t *testing.T) {
	db, _ := emptyMirror(t)
	started := make(chan struct{})
	r := &readiness{tables: &tables{}, db: db, started: started}
	if got := r.databaseProblem(); got == "" {
		t.Error("ready before its migrations")
	}
	close(started)
	if got := r.databaseProblem(); got != "" {
		t.Errorf("after its migrations: %s", got)
	}
}
