package owner

import (
	"context"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// askedRuns and askedRepairs count how often the database is asked.
type askedRuns struct {
	Runs

	last      leads.Run
	asked     int
	requested []leads.RunMode
}

func (r *askedRuns) LastFull(context.Context, string) (leads.Run, bool, error) {
	r.asked++
	return r.last, true, nil
}

func (r *askedRuns) RequestRun(_ context.Context, run leads.Run) (string, error) {
	r.requested = append(r.requested, run.Mode)
	return "1", nil
}

type askedRepairs struct {
	Repairs

	breaker leads.Breaker
	asked   int
}

func (r *askedRepairs) HeldBack(context.Context, string) (leads.Breaker, error) {
	r.asked++
	return r.breaker, nil
}

// idleSession is a portal of which the agenda knows that there is nothing to do.
func idleSession(cfg *Config) *Session {
	s := &Session{cfg: cfg, health: &health{now: time.Now}}
	s.passes, s.fields, s.upkeep = newPasses(s), &fields{s: s}, &upkeep{s: s}
	s.due.Store(&leads.Due{})
	return s
}

// The last full pass is read again only when there may be a newer one, and always before one is
// requested.
func TestLastFullPassIsReadWhenItMayHaveChanged(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC))
	run := func(requested time.Time) leads.Run {
		return leads.Run{Mode: leads.RunFull, State: leads.RunCompleted, RequestedAt: requested, FinishedAt: requested}
	}
	runs := &askedRuns{last: run(clock.Now())}
	s := idleSession(&Config{Mirror: Mirror{Runs: runs}, Now: clock.Now, NextPass: func(after time.Time) time.Time { return after.Add(24 * time.Hour) }})
	n := newNightly(&owner{cfg: s.cfg, session: s})
	for _, step := range []struct {
		name string
		do   func()
		asks int
	}{
		{"the first look", func() {}, 1},
		{"nothing has happened", func() {}, 0},
		{"a pass ended", func() { s.passes.ended.Add(1) }, 1},
		{"nothing has happened since", func() {}, 0},
		{"a pass waits or runs", func() { s.due.Store(&leads.Due{Pass: true}) }, 1},
		{"the agenda is not known", func() { s.due.Store(nil) }, 1},
		{"it is again", func() { s.due.Store(&leads.Due{}) }, 0},
		{"it was read long ago", func() { n.readAt = n.readAt.Add(-lookUpAnyway) }, 1},
		{"the next is due, and another process has asked for it", func() { clock.Advance(25 * time.Hour); runs.last = run(clock.Now()) }, 1},
		{"it has run", func() {}, 0},
		{"the next is due", func() { clock.Advance(25 * time.Hour) }, 1},
		{"it was requested", func() { runs.last = run(clock.Now()) }, 1},
	} {
		step.do()
		before := runs.asked
		if err := n.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked := runs.asked - before; asked != step.asks {
			t.Errorf("%s: asked %d times, want %d", step.name, asked, step.asks)
		}
	}
	if len(runs.requested) != 1 || runs.requested[0] != leads.RunFull {
		t.Errorf("requested %v, want one full pass", runs.requested)
	}
}

// Whether deletions are held back is asked only where leads are absent, or were a moment ago.
func TestDeletionsAreLookedForWhereLeadsAreAbsent(t *testing.T) {
	repairs := &askedRepairs{breaker: leads.Breaker{Limit: 100}}
	s := idleSession(&Config{Mirror: Mirror{Repairs: repairs}})
	now := time.Now()
	for _, step := range []struct {
		name string
		do   func()
		asks int
	}{
		{"the first look", func() {}, 1},
		{"no lead is absent", func() {}, 0},
		{"a lead is read that is there", func() { s.see([]leads.Snapshot{{Sight: leads.Present}}) }, 0},
		{"a lead is read that is not there", func() { s.see([]leads.Snapshot{{Sight: leads.Present}, {Sight: leads.Absent}}) }, 1},
		{"a moment later", func() {}, 1},
		{"long after", func() { now = now.Add(goneFor) }, 0},
		{"leads wait to be deleted", func() { s.due.Store(&leads.Due{Absent: true}); repairs.breaker.Candidates = 200 }, 1},
		{"they are held back", func() { s.due.Store(&leads.Due{}) }, 1},
		{"they no longer are", func() { repairs.breaker.Candidates = 0 }, 1},
		{"nothing has happened", func() {}, 0},
		{"the agenda is not known", func() { s.due.Store(nil) }, 1},
	} {
		step.do()
		before := repairs.asked
		now = now.Add(deletionsEvery)
		if err := s.upkeep.checkDeletions(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if asked := repairs.asked - before; asked != step.asks {
			t.Errorf("%s: asked %d times, want %d", step.name, asked, step.asks)
		}
	}
}
