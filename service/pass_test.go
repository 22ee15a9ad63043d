package service

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
)

// A command waits for the announcements of its own pass, and not for those of later changes.
func TestACommandWaitsForItsOwnAnnouncements(t *testing.T) {
	t.Parallel()
	db, member := emptyMirror(t)
	passes := Passes{db, time.Now}
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
	if err := passes.announced(soon, time.Now().Add(-time.Hour), NewProgress(io.Discard, 0, leads.RunFull)); err != nil {
		t.Errorf("the command waits for later changes: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	said := &stopper{words: "published on the topic", stop: stop}
	if err := passes.announced(ctx, time.Now().Add(time.Hour), NewProgress(said, 0, leads.RunFull)); !errors.Is(err, context.Canceled) {
		t.Errorf("the command did not wait for its own changes: %v", err)
	}
}

// stopper stops what waits when it has said that it does.
type stopper struct {
	words string
	stop  func()
}

func (s *stopper) Write(text []byte) (int, error) {
	if strings.Contains(string(text), s.words) {
		s.stop()
	}
	return len(text), nil
}

// What a pass waits for is said, and once.
func TestWaitsAreSaid(t *testing.T) {
	var said strings.Builder
	p := NewProgress(&said, 1, leads.RunFull)
	run := leads.Run{State: leads.RunRunning, Checkpoint: leads.MaxID, Sums: leads.Sums{Scanned: 1, Phantom: 1}}
	for range 3 {
		p.show(run)
	}
	if strings.Count(said.String(), "waiting a minute") != 1 || !strings.Contains(said.String(), "lacks 1 lead of") || !strings.Contains(said.String(), "1 lead compared of about 1, 1 difference,") {
		t.Errorf("said: %s", &said)
	}
	run.DryRun = true
	if words := p.waitsFor(run); words != "" {
		t.Errorf("a dry run waits: %s", words)
	}
	p.began = p.began.Add(-time.Minute)
	if words := p.waitsFor(leads.Run{State: leads.RunRequested}); !strings.Contains(words, "owner") {
		t.Errorf("a pass that does not begin: %q", words)
	}
}
