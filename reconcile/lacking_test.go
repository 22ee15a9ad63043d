package reconcile_test

import (
	"slices"
	"sync"
	"testing"

	"leadsync/leads"
	"leadsync/reconcile"
)

// countingLock counts how often it was taken.
type countingLock struct {
	sync.Locker
	taken int
}

// Lock implements sync.Locker.
func (l *countingLock) Lock() { l.Locker.Lock(); l.taken++ }

// A live read waits for 50 leads at most, also where the mirror lacks thousands. What it
// writes between two requests of the pass is not missed.
func TestLackingLeadsAreReadFiftyAtATime(t *testing.T) {
	h := imported(t, 180)
	ids := h.ids()
	for _, id := range ids[20:150] {
		h.removeRow(id)
	}
	h.advanceHours(1)
	lock := &countingLock{Locker: &h.readOrder}
	var asked, holds []int
	h.beforeAsk = func() {
		holds = append(holds, lock.taken)
		if len(holds) != 2 {
			return
		}
		snaps, err := h.client.Leads().Read(t.Context(), []int64{ids[149]}, h.tickets.Draw)
		if err != nil {
			t.Fatal(err)
		}
		snaps[0].MemberID, snaps[0].Cause = h.member(), leads.CauseEvent
		if _, err := h.db.Apply(t.Context(), snaps); err != nil {
			t.Error(err)
		}
	}
	h.asked = func(n int) { asked = append(asked, n) }
	cfg := h.config()
	cfg.ReadOrder = lock
	run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunIDs}))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(asked) > 50 || len(slices.Compact(holds)) != len(asked) {
		t.Errorf("asked for %v leads at once; the read order was taken %v times before", asked, holds)
	}
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingMissed: ids[20:149]})
	if run.Inserted != 129 || run.Unchanged != 51 || run.Scanned != 180 {
		t.Errorf("%+v", run.Sums)
	}
	h.wantEqual()
}
