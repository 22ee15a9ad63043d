package consumers

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// lookEvery is how often the list of portals is read.
const lookEvery = time.Second

// wellAfter is how long an owner must have worked for its next failure to count as the
// first: a portal that is ill is asked ever less often.
const wellAfter = time.Minute

// Owners keeps an owner at work for every active portal that no other process owns.
type Owners struct {
	OwnerConfig

	wg      sync.WaitGroup
	working map[string]employment

	mu      sync.Mutex
	records map[string]leads.Portal // of active portals, as they were read last
	ill     map[string]string       // what is wrong with a portal as a whole, by its domain
}

type employment struct {
	portal leads.Portal
	stop   context.CancelFunc
	done   chan struct{}
}

// Run works until the context ends, and returns when all owners have stopped.
func (o *Owners) Run(ctx context.Context) error {
	o.working = map[string]employment{}
	defer o.wg.Wait()
	for failures := 0; ctx.Err() == nil; {
		portals, err := o.Mirror.Portals(ctx)
		switch {
		case err == nil:
			failures = 0
			o.employ(ctx, portals)
			pause(ctx, lookEvery)
		case ctx.Err() == nil:
			o.Log.WarnContext(ctx, "list of portals cannot be read", "error", err)
			pause(ctx, lookEvery+delay(min(failures, 2))) // seconds: it shall be seen when the database is back
			failures++
		}
	}
	return nil
}

// Ill says what is wrong with portals as a whole, in words, by their domains.
func (o *Owners) Ill() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.ill)
}

// diagnose notes what is wrong with a portal; nil is nothing.
func (o *Owners) diagnose(portal leads.Portal, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ill == nil {
		o.ill = map[string]string{}
	}
	delete(o.ill, portal.Domain)
	if err != nil {
		o.ill[portal.Domain] = err.Error()
	}
}

// employ starts owners for new portals and stops those of portals that are no longer
// active. A portal whose record has changed gets a new owner, which reads it.
func (o *Owners) employ(ctx context.Context, portals []leads.Portal) {
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
	for id, e := range o.working {
		if p, ok := active[id]; !ok || !p.Same(e.portal) {
			e.stop()
			delete(o.working, id)
			o.diagnose(e.portal, nil)
			if !served[id] {
				o.wg.Go(func() { o.leave(ctx, id, e) })
			}
		}
	}
	for id, p := range active {
		if _, ok := o.working[id]; ok {
			continue
		}
		own, stop := context.WithCancel(ctx)
		e := employment{portal: p, stop: stop, done: make(chan struct{})}
		o.working[id] = e
		o.wg.Go(func() {
			defer close(e.done)
			defer stop()
			o.own(own, p)
		})
	}
}

// leave clears up after a portal that is not served any more.
func (o *Owners) leave(ctx context.Context, memberID string, e employment) {
	<-e.done
	if ctx.Err() != nil {
		return
	}
	if err := events.RemovePortal(ctx, o.JS, memberID); err != nil {
		o.Log.WarnContext(ctx, "consumers of a portal that is gone are left", "member_id", memberID, "error", err)
	}
}

// own serves the portal whenever its lease can be had.
func (o *Owners) own(ctx context.Context, portal leads.Portal) {
	for failures := 0; ctx.Err() == nil; {
		portal = o.record(portal)
		var begun time.Time
		err := Own(ctx, o.OwnerConfig, portal, func(ctx context.Context, desk Desk, own Ownership) error {
			begun = time.Now()
			well := time.AfterFunc(wellAfter, func() { o.diagnose(portal, nil) })
			defer well.Stop()
			return (&owner{OwnerConfig: o.OwnerConfig, desk: desk, own: own, outages: make(chan struct{}, 1)}).serve(ctx)
		})
		if !begun.IsZero() && time.Since(begun) > wellAfter {
			failures = 0
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, events.ErrLeaseHeld) {
			pause(ctx, events.LeaseLife/5)
			continue
		}
		if !begun.IsZero() { // else it is NATS or the database that is ill
			o.diagnose(portal, err)
		}
		o.complain(ctx, portal, err)
		pause(ctx, delay(failures))
		failures++
	}
}

// record is the newest that is known of a portal.
func (o *Owners) record(portal leads.Portal) leads.Portal {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.records[portal.MemberID]; ok {
		return p
	}
	return portal
}

// complain says what is wrong with a portal, and what a person can do about it.
func (o *Owners) complain(ctx context.Context, portal leads.Portal, err error) {
	switch {
	case errors.Is(err, leads.ErrUnauthorized):
		o.Log.ErrorContext(ctx, "portal needs authorization: open /bitrix24/oauth/start?domain= there, or save the application's form again",
			"member_id", portal.MemberID, "domain", portal.Domain, "error", err)
		// Of the record that we worked by: an authorization that has come since may have
		// brought tokens, which are to be tried first.
		written, err := o.Mirror.SetPortalStateFrom(ctx, portal, leads.PortalNeedsAuthorization)
		if err != nil {
			o.Log.ErrorContext(ctx, "state of portal cannot be written", "member_id", portal.MemberID, "error", err)
		} else if !written {
			o.Log.InfoContext(ctx, "portal was authorized again meanwhile", "member_id", portal.MemberID)
		}
	case errors.Is(err, leads.ErrStopped):
		o.Log.ErrorContext(ctx, "portal is blocked or gone; its notices are kept, and it is asked again now and then",
			"member_id", portal.MemberID, "domain", portal.Domain, "error", err)
	default:
		o.Log.ErrorContext(ctx, "portal waits", "member_id", portal.MemberID, "domain", portal.Domain, "error", err)
	}
}
