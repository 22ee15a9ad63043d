package reconcile_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

var everyStep = flag.Bool("steps", false, "kill a pass at every single step")

// crashPoint kills a pass before or after one of its steps: as with kill -9, what was
// committed stays and nothing follows.
type crashPoint struct {
	at    int64 // the step; 0 is never
	steps atomic.Int64
	kill  context.CancelFunc
}

// pass is called before and after each step.
func (c *crashPoint) pass() {
	if c.steps.Add(1) == c.at {
		c.kill()
	}
}

// step does one step, unless the pass is killed before it.
func step[T any](ctx context.Context, c *crashPoint, do func() (T, error)) (T, error) {
	c.pass()
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	result, err := do()
	c.pass()
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return result, err
}

// crashingPortal and crashingMirror are a portal and a mirror with a crash point at each
// step.
type crashingPortal struct {
	*harness

	crash *crashPoint
}

func (p crashingPortal) Scan(ctx context.Context, after int64, at reconcile.Steps) (leads.Page, error) {
	return step(ctx, p.crash, func() (leads.Page, error) { return p.harness.Scan(ctx, after, at) })
}

func (p crashingPortal) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return step(ctx, p.crash, func() ([]leads.Snapshot, error) { return p.harness.Leads(ctx, ids) })
}

type crashingMirror struct {
	*repo.DB

	crash *crashPoint
}

func (m crashingMirror) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	return step(ctx, m.crash, func() ([]leads.Outcome, error) { return m.DB.Apply(ctx, snaps) })
}

func (m crashingMirror) save(ctx context.Context, do func() error) error {
	_, err := step(ctx, m.crash, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (m crashingMirror) SaveRun(ctx context.Context, run leads.Run) error {
	return m.save(ctx, func() error { return m.DB.SaveRun(ctx, run) })
}

func (m crashingMirror) AddFindings(ctx context.Context, findings []leads.Finding) error {
	return m.save(ctx, func() error { return m.DB.AddFindings(ctx, findings) })
}

func (m crashingMirror) Settle(ctx context.Context, run leads.Run, found []leads.Finding) error {
	return m.save(ctx, func() error { return m.DB.Settle(ctx, run, found) })
}

func (m crashingMirror) Confirm(ctx context.Context, run leads.Run, outcomes []leads.Outcome) error {
	return m.save(ctx, func() error { return m.DB.Confirm(ctx, run, outcomes) })
}

// runUntil works on a run until it ends or is killed at a step; it returns how many steps
// there were.
func (h *harness) runUntil(run leads.Run, at int) (leads.Run, int) {
	h.t.Helper()
	ctx, kill := context.WithCancel(h.t.Context())
	defer kill()
	crash := &crashPoint{at: int64(at), kill: kill}
	cfg := h.config()
	cfg.Portal = crashingPortal{h, crash}
	m := crashingMirror{h.db, crash}
	cfg.Mirror, cfg.Ledger = m, m
	id := run.ID
	run, err := reconcile.Run(ctx, cfg, run)
	if err != nil && ctx.Err() == nil {
		h.t.Fatal(err)
	}
	if ctx.Err() != nil { // the next owner knows what was written, and no more
		if run, _, err = h.db.Run(h.t.Context(), id); err != nil {
			h.t.Fatal(err)
		}
	}
	return run, int(crash.steps.Load())
}

// damage damages an imported mirror of 120 leads and returns what a pass must find.
func (h *harness) damage() map[leads.FindingKind][]int64 {
	ids := h.ids()
	last := ids[len(ids)-1]
	for _, i := range []int{3, 40, 75, 118} {
		h.removeRow(ids[i])
	}
	for _, i := range []int{5, 41, 76, 119} {
		h.alterRow(ids[i], "TITLE", "altered")
	}
	h.addPhantom(ids[7], last+1)
	h.addPhantom(ids[8], last+2)
	if err := h.portal.Delete(ids[100]); err != nil {
		h.t.Fatal(err)
	}
	return map[leads.FindingKind][]int64{
		leads.FindingMissed:  {ids[3], ids[40], ids[75], ids[118]},
		leads.FindingStale:   {ids[5], ids[41], ids[76], ids[119]},
		leads.FindingPhantom: {ids[100], last + 1, last + 2},
	}
}

// The parts of a killed pass add up to one undisturbed pass, whenever it is killed and
// however often.
func TestKilledPassCountsLikeAnUndisturbedOne(t *testing.T) {
	h := imported(t, 120)
	h.windowSize = 35
	damage := h.damage()
	h.windows.Store(0)
	_, steps := h.runUntil(h.request(leads.Run{Mode: leads.RunFull}), 0)
	undisturbed := int(h.windows.Load())
	var want leads.Sums
	rng := rand.New(rand.NewPCG(6, 0))
	for kill := 0; kill <= 20; kill++ {
		if kill > 0 {
			h = imported(t, 120)
			h.windowSize = 35
			damage = h.damage()
		}
		run := h.request(leads.Run{Mode: leads.RunFull})
		h.windows.Store(0)
		var killed []int
		for !run.Finished() {
			at := 0
			if len(killed) < 3 && kill > 0 {
				at = 1 + rng.IntN(steps)
				killed = append(killed, at)
			}
			if run, _ = h.runUntil(run, at); !run.Finished() {
				h.takeOwnership()
				run = h.claim()
			}
		}
		if again := int(h.windows.Load()) - undisturbed; again > 2*len(killed) { // one was being written, the next being read
			t.Errorf("killed at %v: %d windows were read again", killed, again)
		}
		got := run.Sums
		got.Requests = 0
		if kill == 0 {
			want = leads.Sums{Scanned: 119, Unchanged: 119}
			if got != want {
				t.Fatalf("a pass over an equal mirror: %+v", got)
			}
			want = leads.Sums{Scanned: 119, Unchanged: 111, Missed: 4, Stale: 4, Phantom: 3, Inserted: 4, Updated: 4, Deleted: 3}
			continue
		}
		if got != want {
			t.Errorf("killed at %v: %+v, want %+v", killed, got, want)
		}
		h.wantFindings(run, damage)
		h.wantEqual()
	}
}

// At every step, or without -steps at some of them.
func TestPassSurvivesAKillAtAnyStep(t *testing.T) {
	stride := 5
	if *everyStep {
		stride = 1
	}
	for at := 1; ; at += stride {
		h := imported(t, 60)
		h.windowSize = 25
		ids := h.ids()
		h.removeRow(ids[1])
		h.alterRow(ids[30], "TITLE", "altered")
		h.addPhantom(ids[2], ids[59]+1)
		run, steps := h.runUntil(h.request(leads.Run{Mode: leads.RunFull}), at)
		if at > steps {
			return
		}
		if !run.Finished() {
			h.takeOwnership()
			run, _ = h.runUntil(h.claim(), 0)
		}
		h.wantFindings(run, map[leads.FindingKind][]int64{
			leads.FindingMissed: {ids[1]}, leads.FindingStale: {ids[30]}, leads.FindingPhantom: {ids[59] + 1},
		})
		got := run.Sums
		got.Requests = 0
		if want := (leads.Sums{Scanned: 60, Unchanged: 58, Missed: 1, Stale: 1, Phantom: 1, Inserted: 1, Updated: 1, Deleted: 1}); got != want {
			t.Errorf("killed at step %d: %+v", at, got)
		}
		h.wantEqual()
	}
}
