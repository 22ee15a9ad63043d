package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// emptyMirror is a database with one portal, of which nothing is imported.
func emptyMirror(t *testing.T) (*base, string) {
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
	return &base{db: db, cfg: config{catchUp: time.Minute}, log: slog.New(slog.DiscardHandler)}, member
}

// Where callbacks were kept aside, what was changed is compared; where some were lost, the
// ids too, since a deletion may have been among them. Before the import there is nothing.
func TestPassesFollowCallbacksThatWereKeptAside(t *testing.T) {
	b, member := emptyMirror(t)
	s := &service{base: b}
	requested := func() (modes []leads.RunMode) {
		runs, err := b.db.Runs(t.Context(), member, 10)
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
	if _, err := b.db.RequestRun(t.Context(), leads.Run{MemberID: member, Mode: leads.RunImport}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.RaiseEpoch(t.Context(), member, "test"); err != nil {
		t.Fatal(err)
	}
	run, _, err := b.db.ClaimRun(t.Context(), member)
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.FinishedAt, run.PortalAt = leads.RunCompleted, time.Now(), time.Now()
	if err := b.db.SaveRun(t.Context(), run); err != nil {
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

// A command waits for the announcements of its own pass, and not for those of a portal
// that goes on living.
func TestACommandWaitsForItsOwnAnnouncements(t *testing.T) {
	b, member := emptyMirror(t)
	lead, err := leads.Parse([]byte(`{"ID":"7","TITLE":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Apply(t.Context(), []leads.Snapshot{{
		Ref: leads.Ref{MemberID: member, LeadID: 7}, Ticket: leads.NewTickets(1).Draw(), ReadAt: time.Now(), Cause: leads.CauseEvent, Lead: lead,
	}}); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := announced(soon, b, time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("what was written later is waited for: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if err := announced(ctx, b, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what waits was not waited for: %v", err)
	}
}
