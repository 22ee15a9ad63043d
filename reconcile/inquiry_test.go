package reconcile_test

import (
	"context"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/reconcile"
)

// The portal may block the method that reads single leads for minutes. Meanwhile live
// reads go on: ReadOrder is free.
func TestLiveReadsGoOnWhileThePortalPauses(t *testing.T) {
	h := imported(t, 60)
	ids := h.ids()
	h.addPhantom(ids[3], ids[59]+1)
	h.beforeAsk = func() { h.portal.SetFaults(emulator.Faults{CommandLimit: 1}) }
	cfg := h.config()
	paused := time.Duration(0)
	cfg.Wait = func(ctx context.Context, d time.Duration) error {
		if !h.readOrder.TryLock() {
			t.Error("a live read would wait as well")
		} else {
			h.readOrder.Unlock()
		}
		paused, h.beforeAsk = paused+d, nil
		h.portal.SetFaults(emulator.Faults{})
		return h.clock.Wait(ctx, d)
	}
	run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull}))
	if err != nil {
		t.Fatal(err)
	}
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingPhantom: {ids[59] + 1}})
	if paused < time.Minute || h.client.Refused() != 1 {
		t.Errorf("paused %s, refused %d times", paused, h.client.Refused())
	}
	h.wantEqual()
}
