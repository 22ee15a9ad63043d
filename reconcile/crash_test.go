package reconcile_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

var everyMoment = flag.Bool("moments", false, "kill a pass at every single moment")

// gate kills a pass before or after one of its steps: as with kill -9, what was
// committed stays and nothing follows.
type gate struct {
	*ground

	at    int // the moment; 0 is never
	steps int
	kill  context.CancelFunc
}

// moment is called before and after each step.
func (g *gate) moment() {
	if g.steps++; g.steps == g.at {
		g.kill()
	}
}

func step[T any](ctx context.Context, g *gate, do func() (T, error)) (T, error) {
	g.moment()
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	result, err := do()
	g.moment()
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return result, err
}

// gatedPortal, gatedMirror and gatedLedger put a gate before what a pass stands on.
type gatedPortal struct{ *gate }

func (p gatedPortal) Scan(ctx context.Context, after int64) (leads.Page, error) {
	return step(ctx, p.gate, func() (leads.Page, error) { return p.ground.Scan(ctx, after) })
}

func (p gatedPortal) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return step(ctx, p.gate, func() ([]leads.Snapshot, error) { return p.ground.Leads(ctx, ids) })
}

type gatedMirror struct {
	*repo.DB
	gate *gate
}

func (m gatedMirror) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	return step(ctx, m.gate, func() ([]leads.Outcome, error) { return m.DB.Apply(ctx, snaps) })
}

func (m gatedMirror) save(ctx context.Context, do func() error) error {
	_, err := step(ctx, m.gate, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (m gatedMirror) SaveRun(ctx context.Context, run leads.Run) error {
	return m.save(ctx, func() error { return m.DB.SaveRun(ctx, run) })
}

func (m gatedMirror) AddFindings(ctx context.Context, findings []leads.Finding) error {
	return m.save(ctx, func() error { return m.DB.AddFindings(ctx, findings) })
}

func (m gatedMirror) Settle(ctx context.Context, run leads.Run, found []leads.Finding) error {
	return m.save(ctx, func() error { return m.DB.Settle(ctx, run, found) })
}

func (m gatedMirror) Confirm(ctx context.Context, run leads.Run, outcomes []leads.Outcome) error {
	return m.save(ctx, func() error { return m.DB.Confirm(ctx, run, outcomes) })
}

// part works on a run until it ends or is killed at that moment; it returns how many
// moments there were.
func (g *ground) part(run leads.Run, at int) (leads.Run, int) {
	g.t.Helper()
	ctx, kill := context.WithCancel(g.t.Context())
	defer kill()
	door := &gate{ground: g, at: at, kill: kill}
	cfg := g.config()
	cfg.Portal = gatedPortal{door}
	m := gatedMirror{g.db, door}
	cfg.Mirror, cfg.Ledger = m, m
	id := run.ID
	run, err := reconcile.Run(ctx, cfg, run)
	if err != nil && ctx.Err() == nil {
		g.t.Fatal(err)
	}
	if ctx.Err() != nil { // whoever comes after the dead knows what was written, and no more
		if run, _, err = g.db.Run(g.t.Context(), id); err != nil {
			g.t.Fatal(err)
		}
	}
	return run, door.steps
}

// damage sabotages an imported mirror of 120 leads and returns what a pass must find.
func (g *ground) damage() map[leads.FindingKind][]int64 {
	ids := g.ids()
	last := ids[len(ids)-1]
	for _, i := range []int{3, 40, 75, 118} {
		g.remove(ids[i])
	}
	for _, i := range []int{5, 41, 76, 119} {
		g.alter(ids[i], "TITLE", "altered")
	}
	g.phantom(ids[7], last+1)
	g.phantom(ids[8], last+2)
	if err := g.portal.Delete(ids[100]); err != nil {
		g.t.Fatal(err)
	}
	return map[leads.FindingKind][]int64{
		leads.FindingMissed:  {ids[3], ids[40], ids[75], ids[118]},
		leads.FindingStale:   {ids[5], ids[41], ids[76], ids[119]},
		leads.FindingPhantom: {ids[100], last + 1, last + 2},
	}
}

// The sum of the parts of a pass that is killed equals one undisturbed pass, whenever it
// is killed, and however often.
func TestAKilledPassCountsWhatAnUndisturbedOneDoes(t *testing.T) {
	g := filled(t, 120)
	g.stretch = 35
	whole := g.damage()
	g.pages = 0
	_, moments := g.part(g.request(leads.Run{Mode: leads.RunFull}), 0)
	undisturbed := g.pages
	var want leads.Sums
	chance := rand.New(rand.NewPCG(6, 0))
	for kill := 0; kill <= 20; kill++ {
		if kill > 0 {
			g = filled(t, 120)
			g.stretch = 35
			whole = g.damage()
		}
		run := g.request(leads.Run{Mode: leads.RunFull})
		g.pages = 0
		var killed []int
		for !run.Finished() {
			at := 0
			if len(killed) < 3 && kill > 0 {
				at = 1 + chance.IntN(moments)
				killed = append(killed, at)
			}
			if run, _ = g.part(run, at); !run.Finished() {
				g.own()
				run = g.claim()
			}
		}
		if again := g.pages - undisturbed; again > len(killed) {
			t.Errorf("killed at %v: %d stretches were read again", killed, again)
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
		g.found(run, whole)
		g.equal()
	}
}

// At every single moment, or where -moments is not set at some of them.
func TestAPassMayBeKilledAtAnyMoment(t *testing.T) {
	stride := 5
	if *everyMoment {
		stride = 1
	}
	for at := 1; ; at += stride {
		g := filled(t, 60)
		g.stretch = 25
		ids := g.ids()
		g.remove(ids[1])
		g.alter(ids[30], "TITLE", "altered")
		g.phantom(ids[2], ids[59]+1)
		run, moments := g.part(g.request(leads.Run{Mode: leads.RunFull}), at)
		if at > moments {
			return
		}
		if !run.Finished() {
			g.own()
			run, _ = g.part(g.claim(), 0)
		}
		g.found(run, map[leads.FindingKind][]int64{
			leads.FindingMissed: {ids[1]}, leads.FindingStale: {ids[30]}, leads.FindingPhantom: {ids[59] + 1},
		})
		got := run.Sums
		got.Requests = 0
		if want := (leads.Sums{Scanned: 60, Unchanged: 58, Missed: 1, Stale: 1, Phantom: 1, Inserted: 1, Updated: 1, Deleted: 1}); got != want {
			t.Errorf("killed at moment %d: %+v", at, got)
		}
		g.equal()
	}
}
