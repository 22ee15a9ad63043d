package bitrix24

import (
	"context"
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

// probed ends a probe; problem is what the portal says now, nil if it is well. It returns the
// error for the caller.
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

// Probe asks a portal that refused everything whether it still does, if the time for that has
// come. Every call does so by itself; a portal that nobody calls needs Probe. The error is
// leads.ErrPortalRefuses while the portal refuses, or the context's.
func (c *Client) Probe(ctx context.Context) error {
	problem, probe := c.shared.breaker.admit()
	switch {
	case problem == nil:
		return nil
	case !probe:
		return problem
	}
	e, err := c.ask(ctx, problem.Method)
	if ctx.Err() != nil {
		c.shared.breaker.abandoned()
		return ctx.Err()
	}
	return c.shared.breaker.probed(c.stillIll(problem, e, err))
}

// stillIll is the problem after a probe that the portal refused with e, or that ended with
// err; nil if it is well. Without an answer the problem stays what it was.
func (c *Client) stillIll(problem, e *Error, err error) *Error {
	switch {
	case err != nil && ReactionTo(err) == Reauthorize && c.cfg.Tokens != nil:
		return nil // the portal answers again; the tokens are another problem
	case err != nil:
		return problem
	case e == nil, e.Code == "" && !sameReason(e, problem) && e.Reaction == Never:
		return nil
	case mayConcernAll(e):
		return c.advise(e)
	default:
		return problem
	}
}
