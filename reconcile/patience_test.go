package reconcile_test

import (
	"context"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/reconcile"
)

// While the portal has blocked the method that asks for single leads, which may take
// minutes, live reads go on: the turn is free.
func TestTheTurnIsFreeWhileThePortalRests(t *testing.T) {
	g := filled(t, 60)
	ids := g.ids()
	g.phantom(ids[3], ids[59]+1)
	g.asking = func() { g.portal.SetFaults(emulator.Faults{CommandLimit: 1}) }
	cfg := g.config()
	rested := time.Duration(0)
	cfg.Wait = func(ctx context.Context, d time.Duration) error {
		if !g.turn.TryLock() {
			t.Error("a live read would have to wait as well")
		} else {
			g.turn.Unlock()
		}
		rested, g.asking = rested+d, nil
		g.portal.SetFaults(emulator.Faults{})
		return g.clock.Wait(ctx, d)
	}
	run, err := reconcile.Run(t.Context(), cfg, g.request(leads.Run{Mode: leads.RunFull}))
	if err != nil {
		t.Fatal(err)
	}
	g.found(run, map[leads.FindingKind][]int64{leads.FindingPhantom: {ids[59] + 1}})
	if rested < time.Minute || g.client.Refused() != 1 {
		t.Errorf("rested %s, refused %d times", rested, g.client.Refused())
	}
	g.equal()
}
