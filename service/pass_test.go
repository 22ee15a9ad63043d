package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// A command waits for the announcements of its own pass, and not for those of later changes.
func TestACommandWaitsForItsOwnAnnouncements(t *testing.T) {
	db, member := emptyMirror(t)
	b := &Backend{DB: db, Log: leadstest.Silent()}
	lead, err := leads.Parse([]byte(`{"ID":"7","TITLE":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Apply(t.Context(), []leads.Snapshot{{
		Ref: leads.Ref{MemberID: member, LeadID: 7}, Ticket: leads.NewTickets(1).Draw(), ReadAt: time.Now(), Cause: leads.CauseEvent, Lead: lead,
	}}); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.announced(soon, time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("the command waits for later changes: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if err := b.announced(ctx, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the command did not wait for its own changes: %v", err)
	}
}
