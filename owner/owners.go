package owner

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// lookEvery is how often the list of portals is read.
const lookEvery = time.Second

// stableAfter is how long an owner must have worked for its next failure to count as the
// first: a portal that fails at once is asked ever less often.
const stableAfter = time.Minute

// clearedAfter is how long it must have worked before the failure is no longer reported. It
// and the longest pause of retry.Standard are less than a minute.
const clearedAfter = 20 * time.Second

// leaseRetry is how often a process looks whether a lease that another has is free.
const leaseRetry = events.LeaseLife / 5

// Owners keeps an owner at work for every active portal that no other process owns.
type Owners struct {
	cfg      *Config
	sessions sessions

	wg      sync.WaitGroup
	working map[string]running

	mu       sync.Mutex
	records  map[string]leads.Portal // of active portals, as they were read last
	problems map[string]string       // of portals as a whole, by their domain
}

// running is an owner at work.
type running struct {
	portal leads.Portal
	stop   context.CancelFunc
	done   chan struct{}
}

// NewOwners makes owners that work when Run is called.
func NewOwners(cfg Config) *Owners {
	return &Owners{cfg: &cfg, working: map[string]running{}, problems: map[string]string{}}
}

// Run works until the context ends, and returns when all owners have stopped.
func (o *Owners) Run(ctx context.Context) error {
	defer o.wg.Wait()
	o.wg.Go(func() { _ = newAgenda(o.cfg, &o.sessions).run(ctx) }) // no error is final
	loop := retry.Loop{
		Policy: retry.Policy{First: 2 * lookEvery, Max: 3 * lookEvery, Jitter: 12}, Interval: lookEvery, // the end of an outage is to be seen soon
		Failed: func(err error, _ int, pause time.Duration) {
			o.cfg.Log.WarnContext(ctx, "cannot read the list of portals, retrying", "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error {
		portals, err := o.cfg.Mirror.Portals.Portals(ctx)
		if err == nil {
			o.follow(ctx, portals)
		}
		return err
	})
}

// Statuses are the portals that this process owns at the moment.
func (o *Owners) Statuses() []Status {
	open := o.sessions.list()
	statuses := make([]Status, len(open))
	for i, s := range open {
		statuses[i] = s.status()
	}
	return statuses
}

// Problems says what is wrong with portals as a whole, by their domains.
func (o *Owners) Problems() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.problems)
}

// setProblem notes what is wrong with a portal; nil is nothing.
func (o *Owners) setProblem(portal leads.Portal, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.problems, portal.Domain)
	if err != nil {
		o.problems[portal.Domain] = err.Error()
	}
}

// follow starts owners for new portals and stops those of portals that are no longer
// active. A portal whose record has changed gets a new owner, which reads it.
func (o *Owners) follow(ctx context.Context, portals []leads.Portal) {
	active, served := map[string]leads.Portal{}, map[string]bool{}
	for _, p := range portals {
		served[p.MemberID] = p.State != leads.PortalUninstalled
		if p.State == leads.PortalActive {
			active[p.MemberID] = p
		}
	}
	o.mu.Lock()
	o.records = active
	o.mu.Unlock()
	for id, r := range o.working {
		if p, ok := active[id]; !ok || !p.Same(r.portal) {
			o.stop(ctx, id, served[id])
		}
	}
	for id, p := range active {
		if _, ok := o.working[id]; !ok {
			o.start(ctx, p)
		}
	}
}

func (o *Owners) start(ctx context.Context, portal leads.Portal) {
	ctx, stop := context.WithCancel(ctx)
	r := running{portal: portal, stop: stop, done: make(chan struct{})}
	o.working[portal.MemberID] = r
	o.wg.Go(func() {
		defer close(r.done)
		defer stop()
		o.own(ctx, portal)
	})
}

// stop ends an owner. One whose portal is not served any more leaves nothing behind.
func (o *Owners) stop(ctx context.Context, memberID string, served bool) {
	r := o.working[memberID]
	r.stop()
	delete(o.working, memberID)
	o.setProblem(r.portal, nil)
	if served {
		return
	}
	o.wg.Go(func() {
		<-r.done
		if ctx.Err() != nil {
			return
		}
		if err := events.RemovePortal(ctx, o.cfg.Bus, memberID); err != nil {
			o.cfg.Log.WarnContext(ctx, "cannot remove consumers of a portal that is no longer served", "member_id", memberID, "error", err)
		}
	})
}

// errWorkFailed stands for why the work on a portal ended: the pause that a call of it asks for
// is not that of the next attempt.
var errWorkFailed = errors.New("work on the portal failed")

// notTakenError stands for NATS or the database failing before the work began. They are not the
// portal: the pauses need not grow.
type notTakenError struct{ error }

// RetryAfter is the pause before the next attempt.
func (notTakenError) RetryAfter() time.Duration { return retry.Near.Max }

// own serves the portal whenever its lease can be had.
func (o *Owners) own(ctx context.Context, portal leads.Portal) {
	loop := retry.Loop{Policy: retry.Standard, Interval: leaseRetry}
	_ = loop.Run(ctx, func(ctx context.Context) error { // no error is final
		portal = o.newest(portal)
		switch worked, failed := o.attempt(ctx, portal); {
		case failed && worked == 0:
			return notTakenError{errWorkFailed}
		case failed && worked <= stableAfter:
			return errWorkFailed
		}
		return nil
	})
}

// attempt serves the portal once. It returns how long that was, and whether it failed.
func (o *Owners) attempt(ctx context.Context, portal leads.Portal) (worked time.Duration, failed bool) {
	worked, err := o.serve(ctx, portal)
	switch {
	case ctx.Err() != nil:
		return worked, false
	case errors.Is(err, events.ErrLeaseHeld):
		o.setProblem(portal, nil) // it is another's now
		return worked, false
	case err == nil: // the lease was lost to another process, or NATS does not answer
		o.cfg.Log.InfoContext(ctx, "portal is no longer ours, waiting for its lease", "member_id", portal.MemberID)
		return worked, false
	case worked > 0: // else it is NATS or the database that fails
		o.setProblem(portal, err)
	}
	o.report(ctx, portal, err)
	return worked, true
}

// serve works on the portal while it has its lease, and returns how long that was.
func (o *Owners) serve(ctx context.Context, portal leads.Portal) (worked time.Duration, err error) {
	err = own(ctx, o.cfg, portal, func(ctx context.Context, s *Session) error {
		begun := time.Now()
		o.sessions.add(s)
		stable := time.AfterFunc(clearedAfter, func() { o.setProblem(portal, nil) })
		defer func() {
			stable.Stop()
			o.sessions.remove(s)
			worked = max(time.Since(begun), 1)
		}()
		return newOwner(s).serve(ctx)
	})
	return worked, err
}

// newest is the newest that is known of a portal.
func (o *Owners) newest(portal leads.Portal) leads.Portal {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.records[portal.MemberID]; ok {
		return p
	}
	return portal
}

// report says what is wrong with a portal, and what a person can do about it.
func (o *Owners) report(ctx context.Context, portal leads.Portal, err error) {
	switch {
	case errors.Is(err, leads.ErrUnauthorized):
		o.cfg.Log.ErrorContext(ctx, "portal needs authorization", "remedy", portal.Remedy(strings.TrimSuffix(o.cfg.CallbackURL, "/bitrix24/events")),
			"member_id", portal.MemberID, "domain", portal.Domain, "error", err)
		// Of the record that we worked by: an authorization that has come since may have
		// brought tokens, which are to be tried first.
		written, err := o.cfg.Mirror.Portals.SetPortalStateFrom(ctx, portal, leads.PortalNeedsAuthorization)
		if err != nil {
			o.cfg.Log.ErrorContext(ctx, "state of portal cannot be written", "member_id", portal.MemberID, "error", err)
		} else if !written {
			o.cfg.Log.InfoContext(ctx, "portal was authorized again meanwhile", "member_id", portal.MemberID)
		}
	default:
		o.cfg.Log.ErrorContext(ctx, "work on portal failed, retrying", "member_id", portal.MemberID, "domain", portal.Domain, "error", err)
	}
}
