package bitrix24

import (
	"sync"
	"time"

	"leadsync/retry"
)

// probePolicy is how long a portal that refuses everything is left alone.
var probePolicy = retry.Policy{First: 30 * time.Second, Max: 5 * time.Minute}

// breaker stops all calls of all lanes while the portal refuses everything, but for one
// probe after each pause. It is safe for concurrent use.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	problem  *Error // nil while it is closed
	since    time.Time
	next     time.Time // of the next probe
	refusals int       // in a row
	probing  bool
}

// open stops the calls and returns the error that they get. Of the calls that were on their
// way together, the first opens it.
func (b *breaker) open(problem *Error) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.problem == nil {
		b.since, b.refusals = b.now(), 0
		b.extend(problem)
	}
	return b.waiting()
}

// extend begins the next pause. The caller holds mu.
func (b *breaker) extend(problem *Error) {
	b.problem = problem
	b.refusals++
	b.next = b.now().Add(probePolicy.Delay(b.refusals))
}

// waiting is the problem, with the time until the next probe. The caller holds mu.
func (b *breaker) waiting() *Error {
	e := *b.problem
	e.Wait = max(b.next.Sub(b.now()), time.Second)
	return &e
}

// admit returns nil if calls may be sent. Otherwise it returns the problem, and whether the
// caller is the one that has to probe: it must call probed then.
func (b *breaker) admit() (problem *Error, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.problem == nil {
		return nil, false
	}
	probe = !b.probing && !b.now().Before(b.next)
	b.probing = b.probing || probe
	return b.waiting(), probe
}

// probed ends a probe; problem is what the portal says now, nil if it no longer refuses
// everything. It returns the error for the caller.
func (b *breaker) probed(problem *Error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if problem == nil {
		b.problem, b.since, b.refusals = nil, time.Time{}, 0
		return nil
	}
	b.extend(problem)
	return b.waiting()
}

// abandoned ends a probe that was interrupted: the next caller probes.
func (b *breaker) abandoned() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// state is the problem in words, and since when it lasts.
func (b *breaker) state() (problem string, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.problem == nil {
		return "", time.Time{}
	}
	return b.problem.Error(), b.since
}
