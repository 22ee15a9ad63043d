package consumers

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"leadsync/leads"
)

// verdict is what an error means for a loop.
type verdict int

const (
	carryOn  verdict = iota
	tryLater         // something is ill: the portal, the database, the broker
	giveUp           // a person or another process has to act
)

// judge is the one place that decides what an error of a portal's work means. What it
// does not know is tried again: nothing is lost by that.
func judge(err error) verdict {
	switch {
	case err == nil:
		return carryOn
	case errors.Is(err, leads.ErrUnauthorized), errors.Is(err, leads.ErrStopped), errors.Is(err, leads.ErrNotOwner),
		errors.Is(err, leads.ErrUnsettled): // a new ownership can claim the run again
		return giveUp
	default:
		return tryLater
	}
}

// delay doubles from 500 ms to 32 s, with jitter.
func delay(failures int) time.Duration {
	d := (500 * time.Millisecond) << min(failures, 6)
	return d - time.Duration(rand.Int64N(int64(d/4))) //nolint:gosec // jitter needs no secrecy
}

// pause waits, less if the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// finishing returns a context for work under way: it ends finishLimit after ctx does.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(finishLimit, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() { stop(); cancel() }
}
