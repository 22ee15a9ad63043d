package bitrix24_test

import (
	"context"
	"sync"
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
		// The portal's bucket, which the owner before may have filled up to our share.
		level, at := 40.0, begin
		for i, now := range sent {
			level = max(0, level-2*now.Sub(at).Seconds()) + 1
			if at = now; level > 42 {
				t.Fatalf("request %d fills the bucket to %.1f of 50", i, level)
			}
		}
	})
}

// Where leads are edited all the time, live reads take everything that leaks out of the
// bucket. A pass still finishes, and the live reads hardly wait for it.
func TestBudgetStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := bitrix24.NewBudget(false)
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		var sent [3]int
		var longest time.Duration
		var wg sync.WaitGroup
		for lane, pace := range map[bitrix24.Lane]time.Duration{bitrix24.Live: 300 * time.Millisecond, bitrix24.Operator: time.Minute, bitrix24.Background: 0} {
			wg.Go(func() {
				for begin := time.Now(); budget.Wait(ctx, lane) == nil; begin = time.Now() {
					if sent[lane]++; lane == bitrix24.Live {
						longest = max(longest, time.Since(begin))
					}
					time.Sleep(pace)
				}
			})
		}
		wg.Wait()
		t.Logf("%d live, %d of an operator, %d of a pass within 5 minutes; live reads waited up to %s", sent[0], sent[1], sent[2], longest)
		if sent[bitrix24.Background] < 100 || sent[bitrix24.Operator] < 4 || sent[bitrix24.Live] < 300 {
			t.Errorf("sent by lane: %v", sent)
		}
		if longest > 1500*time.Millisecond {
			t.Errorf("a live read waited %s", longest)
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
