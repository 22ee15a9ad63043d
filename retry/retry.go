// Package retry is the one place that waits and tries again: how long the pause after a
// failure is, and the loop around work that may fail. It knows nothing about leads: the
// caller says what an error means (leads.MeaningOf).
package retry

import (
	"context"
	"errors"
	"time"

	goretry "github.com/sethvargo/go-retry"
)

// Wait waits for d, or until ctx ends; then it returns ctx.Err().
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Policy says how long to wait after failures in a row. The zero value does not wait.
type Policy struct {
	First time.Duration // the pause after the first failure; it doubles with each further one
	Max   time.Duration // the longest pause; 0 means no limit
	// Jitter is by how much a pause varies in either direction, in percent, so that many
	// who failed together do not come back together.
	Jitter uint64
}

// Standard is what most loops wait after failures: from half a second to half a minute.
var Standard = Policy{First: 500 * time.Millisecond, Max: 32 * time.Second, Jitter: 12}

// Near is for what asks only our own servers, NATS and the database: it costs them little to be
// asked often, and when they are back nothing should wait for long.
var Near = Policy{First: 500 * time.Millisecond, Max: 5 * time.Second, Jitter: 12}

// doublings is how often a pause can double at all.
const doublings = 62

// Delay is the pause after that many failures in a row, the first being 1. It never
// exceeds Max by more than the jitter.
func (p Policy) Delay(failures int) time.Duration {
	b := p.backoff()
	for range min(failures-1, doublings) {
		_, _ = b.Next()
	}
	d, _ := b.Next()
	return d
}

func (p Policy) backoff() goretry.Backoff {
	if p.First <= 0 {
		return goretry.BackoffFunc(func() (time.Duration, bool) { return 0, false })
	}
	b := goretry.NewExponential(p.First)
	if p.Max > 0 {
		b = goretry.WithCappedDuration(p.Max, b)
	}
	if p.Jitter > 0 {
		b = goretry.WithJitterPercent(p.Jitter, b)
	}
	return b
}

// Loop calls work again and again.
type Loop struct {
	Policy Policy
	// Interval is the pause after work that succeeded.
	Interval time.Duration
	// Wake, if set, ends that pause early.
	Wake <-chan struct{}
	// Final reports whether an error is permanent; without it, no error is. If an error has
	// a method RetryAfter that returns more than 0, that is the pause, not the policy's.
	Final func(error) bool
	// Failed, if set, is called after each failure that is not final, before the pause.
	Failed func(err error, failures int, pause time.Duration)
	// Recovered, if set, is called when work succeeds again, with the time of the first failure.
	Recovered func(since time.Time)
	// Wait waits; nil means Wait of this package.
	Wait func(context.Context, time.Duration) error
}

// Run calls work until the context ends, which is no error, or until its error is final.
func (l Loop) Run(ctx context.Context, work func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := l.Until(ctx, work); err != nil && ctx.Err() == nil {
			return err
		}
		_ = l.rest(ctx) // the loop looks whether the context has ended
	}
	return nil
}

// rest is the pause after work that succeeded.
func (l Loop) rest(ctx context.Context) error {
	if l.Wake == nil {
		return l.wait(ctx, l.Interval)
	}
	timer := time.NewTimer(l.Interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.Wake:
	case <-timer.C:
	}
	return nil
}

// Until calls work until it succeeds. It returns the final error, or the last error if the
// context ended first.
func (l Loop) Until(ctx context.Context, work func(context.Context) error) error {
	var since time.Time
	for failures := 1; ; failures++ {
		err := work(ctx)
		switch {
		case err == nil:
			if failures > 1 && l.Recovered != nil {
				l.Recovered(since)
			}
			return nil
		case ctx.Err() != nil, l.Final != nil && l.Final(err):
			return err
		case failures == 1:
			since = time.Now()
		}
		pause := l.pause(err, failures)
		if l.Failed != nil {
			l.Failed(err, failures, pause)
		}
		if l.wait(ctx, pause) != nil {
			return err
		}
	}
}

// pause is what the error asks for, else the policy's.
func (l Loop) pause(err error, failures int) time.Duration {
	if after := After(err); after > 0 {
		return after
	}
	return l.Policy.Delay(failures)
}

// After is how long an error asks to be left alone: what its method RetryAfter returns; 0
// where it has none.
func After(err error) time.Duration {
	var asks interface{ RetryAfter() time.Duration }
	if errors.As(err, &asks) {
		return asks.RetryAfter()
	}
	return 0
}

func (l Loop) wait(ctx context.Context, d time.Duration) error {
	if l.Wait != nil {
		return l.Wait(ctx, d)
	}
	return Wait(ctx, d)
}
