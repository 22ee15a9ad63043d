package owner_test

import (
	"context"
	"sync/atomic"
	"testing"

	"leadsync/leads"
	"leadsync/owner"
)

// countedAgenda and countedRuns count how often the database is asked.
type countedAgenda struct {
	next         owner.Agenda
	looks, beats atomic.Int64
}

func (a *countedAgenda) Agenda(ctx context.Context) (map[string]leads.Due, error) {
	a.looks.Add(1)
	return a.next.Agenda(ctx)
}

func (a *countedAgenda) BeatAll(ctx context.Context, memberIDs []string) ([]string, error) {
	a.beats.Add(1)
	return a.next.BeatAll(ctx, memberIDs)
}

type countedRuns struct {
	owner.Runs
	claims atomic.Int64
}

func (r *countedRuns) ClaimRun(ctx context.Context, memberID string) (leads.Run, bool, error) {
	r.claims.Add(1)
	return r.Runs.ClaimRun(ctx, memberID)
}

// One look for all portals wakes the owner that has something to do; the others ask nothing.
func TestIdleOwnersAreNotAsking(t *testing.T) {
	h := open(t, 5)
	cfg := h.config()
	agenda, runs := &countedAgenda{next: h.db}, &countedRuns{Runs: h.db}
	cfg.Mirror.Agenda, cfg.Mirror.Runs = agenda, runs
	h.work(cfg)
	h.until("the portal is served", func() bool { return agenda.beats.Load() > 0 })
	before, looks := runs.claims.Load(), agenda.looks.Load()
	h.until("six looks", func() bool { return agenda.looks.Load() >= looks+6 })
	if asked := runs.claims.Load() - before; asked > 0 {
		t.Errorf("the owner asked %d times for passes although none was requested", asked)
	}
	looks = agenda.looks.Load()
	id, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.record.MemberID, Mode: leads.RunFull})
	if err != nil {
		t.Fatal(err)
	}
	h.until("the pass has run", func() bool {
		run, ok, err := h.db.Run(t.Context(), id)
		return err == nil && ok && run.State == leads.RunCompleted
	})
	if took := agenda.looks.Load() - looks; took > 50 { // an owner that nothing wakes looks after 120
		t.Errorf("the pass ended %d looks after it was requested", took)
	}
}
