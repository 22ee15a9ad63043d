package consumers

import (
	"context"
	"errors"
	"sync"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// lookEvery is how often the list of portals is read.
const lookEvery = time.Second

// Owners keeps an owner at work for every active portal that no other process owns.
type Owners struct {
	OwnerConfig

	wg      sync.WaitGroup
	working map[string]employment
}

type employment struct {
	portal leads.Portal
	stop   context.CancelFunc
}

// Run works until the context ends, and returns when all owners have stopped.
func (o *Owners) Run(ctx context.Context) error {
	o.working = map[string]employment{}
	defer o.wg.Wait()
	for ctx.Err() == nil {
		portals, err := o.Mirror.Portals(ctx)
		if err != nil && ctx.Err() == nil {
			o.Log.WarnContext(ctx, "list of portals cannot be read", "error", err)
		}
		if err == nil {
			o.employ(ctx, portals)
		}
		pause(ctx, lookEvery)
	}
	return nil
}

// employ starts owners for new portals and stops those of portals that are no longer
// active. A portal whose record has changed gets a new owner, which reads it.
func (o *Owners) employ(ctx context.Context, portals []leads.Portal) {
	active := map[string]leads.Portal{}
	for _, p := range portals {
		if p.State == leads.PortalActive {
			active[p.MemberID] = p
		}
	}
	for id, e := range o.working {
		if p, ok := active[id]; !ok || !p.Same(e.portal) {
			e.stop()
			delete(o.working, id)
		}
	}
	for id, p := range active {
		if _, ok := o.working[id]; ok {
			continue
		}
		own, stop := context.WithCancel(ctx)
		o.working[id] = employment{portal: p, stop: stop}
		o.wg.Go(func() { defer stop(); o.own(own, p) })
	}
}

// own serves the portal whenever its lease can be had.
func (o *Owners) own(ctx context.Context, portal leads.Portal) {
	for failures := 0; ctx.Err() == nil; {
		err := Own(ctx, o.OwnerConfig, portal, func(ctx context.Context, desk Desk, own Ownership) error {
			failures = 0
			return (&owner{OwnerConfig: o.OwnerConfig, desk: desk, own: own, outages: make(chan struct{}, 1)}).serve(ctx)
		})
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, events.ErrLeaseHeld):
			pause(ctx, events.LeaseLife/5)
		case errors.Is(err, leads.ErrUnauthorized):
			o.Log.ErrorContext(ctx, "portal needs authorization: open /bitrix24/oauth/start?domain= there, or save the application's form again",
				"member_id", portal.MemberID, "domain", portal.Domain, "error", err)
			if err := o.Mirror.SetPortalState(ctx, portal.MemberID, leads.PortalNeedsAuthorization); err != nil {
				o.Log.ErrorContext(ctx, "state of portal cannot be written", "member_id", portal.MemberID, "error", err)
			}
			pause(ctx, delay(failures))
			failures++
		default:
			o.Log.ErrorContext(ctx, "portal waits", "member_id", portal.MemberID, "domain", portal.Domain, "error", err)
			pause(ctx, delay(failures))
			failures++
		}
	}
}
