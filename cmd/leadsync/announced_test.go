package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
	"leadsync/service"
)

// emptyMirror is a database with one portal and none of its leads.
func emptyMirror(t *testing.T) (*service.Backend, string) {
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
	return &service.Backend{DB: db, Log: leadstest.Silent()}, member
}

// A command waits for the announcements of its own pass, and not for those of later changes.
func TestACommandWaitsForItsOwnAnnouncements(t *testing.T) {
	b, member := emptyMirror(t)
	lead, err := leads.Parse([]byte(`{"ID":"7","TITLE":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.Apply(t.Context(), []leads.Snapshot{{
		Ref: leads.Ref{MemberID: member, LeadID: 7}, Ticket: leads.NewTickets(1).Draw(), ReadAt: time.Now(), Cause: leads.CauseEvent, Lead: lead,
	}}); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := announced(soon, b, time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("the command waits for later changes: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if err := announced(ctx, b, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the command did not wait for its own changes: %v", err)
	}
}
