package bitrix24_test

import (
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24"
)

func TestBudgetNeverFillsTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, begin := bitrix24.NewBudget(false), time.Now()
		var sent []time.Time
		for range 300 {
			if err := budget.Wait(t.Context(), bitrix24.Live); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, time.Now())
		}
		// The portal's own bucket, which a former owner may have filled to our share.
		level, at := 40.0, begin
		for i, now := range sent {
			level = max(0, level-2*now.Sub(at).Seconds()) + 1
			if at = now; level > 42 {
				t.Fatalf("request %d fills the bucket to %.1f of 50", i, level)
			}
		}
	})
}

func TestBudgetKeepsRoomForLiveReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := bitrix24.NewBudget(true)
		ctx := t.Context()
		for range 60 { // a pass takes all it can get
			if err := budget.Wait(ctx, bitrix24.Background); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		for range 9 {
			if err := budget.Wait(ctx, bitrix24.Live); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("live reads waited %s behind a pass", waited)
		}
	})
}
