package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/retry"
)

var errIll = errors.New("ill")

func TestDelaysDoubleUpToTheirLimit(t *testing.T) {
	p := retry.Policy{First: time.Second, Max: 5 * time.Second}
	var got []time.Duration
	for failures := range 6 {
		got = append(got, p.Delay(failures+1))
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if d := p.Delay(1_000_000); d != 5*time.Second {
		t.Errorf("after a million failures %s", d)
	}
	p.Jitter = 10
	for range 100 {
		if d := p.Delay(1); d < 900*time.Millisecond || d > 1100*time.Millisecond {
			t.Errorf("with jitter %s", d)
		}
	}
	if d := (retry.Policy{}).Delay(3); d != 0 {
		t.Errorf("the zero policy waits %s", d)
	}
}

func TestLoopRunsUntilAnErrorIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		final, begun := errors.New("final"), time.Now()
		answers := []error{nil, errIll, errIll, nil, final}
		var failed []int
		var since time.Time
		loop := retry.Loop{
			Policy: retry.Policy{First: time.Second}, Interval: time.Minute,
			Final:     func(err error) bool { return errors.Is(err, final) },
			Failed:    func(_ error, failures int, _ time.Duration) { failed = append(failed, failures) },
			Recovered: func(at time.Time) { since = at },
		}
		err := loop.Run(t.Context(), func(context.Context) error {
			answer := answers[0]
			answers = answers[1:]
			return answer
		})
		if !errors.Is(err, final) || !slices.Equal(failed, []int{1, 2}) || !since.Equal(begun.Add(time.Minute)) {
			t.Errorf("%v, failures %v, ill since %s", err, failed, since)
		}
		if took := time.Since(begun); took != 2*time.Minute+3*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestLoopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ill := func(context.Context) error { return errIll }
		loop := retry.Loop{Policy: retry.Policy{First: time.Second}}
		if err := loop.Run(ctx, ill); err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := loop.Until(ctx, ill); !errors.Is(err, errIll) {
			t.Errorf("Until: %v", err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := retry.Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := retry.Wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// busy asks to be left alone for a while.
type busy time.Duration

func (b busy) Error() string             { return "busy" }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

func TestErrorsMaySayHowLongToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, tries := time.Now(), 0
		loop := retry.Loop{Policy: retry.Policy{First: time.Second}}
		err := loop.Until(t.Context(), func(context.Context) error {
			if tries++; tries == 1 {
				return fmt.Errorf("read: %w", busy(time.Minute))
			}
			return nil
		})
		if took := time.Since(begun); err != nil || took != time.Minute {
			t.Errorf("%v after %s", err, took)
		}
	})
}
