package consumers

import (
	"context"
	"hash/fnv"
	"time"

	"leadsync/leads"
)

// Planner is what the database keeps for the schedule of a portal's passes.
type Planner interface {
	// Watermark is the portal's clock at the start of the newest completed pass.
	Watermark(ctx context.Context, memberID string) (time.Time, error)
	// LastFull is the newest full pass that was asked for.
	LastFull(ctx context.Context, memberID string) (leads.Run, bool, error)
	// Beat notes that the portal is served, and returns when that was noted last.
	Beat(ctx context.Context, memberID string) (time.Time, error)
	AddIncident(ctx context.Context, incident leads.Incident) error
}

const (
	beatEvery = 10 * time.Second
	// downAfter is after how long without a beat the portal was not served: longer than a
	// lease takes to change hands.
	downAfter = 30 * time.Second
	// scheduleEvery is how often the time of the nightly pass is looked up. A timer for the
	// whole day would stand still while the machine sleeps.
	scheduleEvery = 30 * time.Second
	// jitterMax spreads the nightly passes of many portals.
	jitterMax = 15 * time.Minute
	// outageAfter is how long work must have failed to count as an outage.
	outageAfter = 2 * time.Second
)

// beat notes that the portal is served. Its first finds out for how long it was not.
func (o *owner) beat(ctx context.Context) error {
	first := true
	return o.repeat(ctx, "beat", beatEvery, func(ctx context.Context) error {
		last, err := o.Mirror.Beat(ctx, o.memberID())
		if err != nil || !first {
			return err
		}
		first = false
		now := o.now()
		if last.IsZero() || now.Sub(last) < downAfter {
			return o.catchUp(ctx, false)
		}
		o.Log.WarnContext(ctx, "portal was not served", "member_id", o.memberID(), "from", last, "to", now.UTC())
		if err := o.Mirror.AddIncident(ctx, leads.Incident{MemberID: o.memberID(), Kind: leads.IncidentDown, From: last, To: now}); err != nil {
			return err
		}
		return o.catchUp(ctx, true)
	})
}

// catchUp requests a pass over what was changed and, after an outage, one over the ids,
// so that deletions do not wait for the night. Before the import there is nothing to
// catch up with.
func (o *owner) catchUp(ctx context.Context, outage bool) error {
	if o.CatchUpEvery <= 0 {
		return nil
	}
	at, err := o.Mirror.Watermark(ctx, o.memberID())
	if err != nil || at.IsZero() {
		return err
	}
	modes := []leads.RunMode{leads.RunChanged}
	if outage {
		modes = append(modes, leads.RunIDs)
	}
	for _, mode := range modes {
		if _, err := o.Mirror.RequestRun(ctx, leads.Run{MemberID: o.memberID(), Mode: mode}); err != nil {
			return err
		}
	}
	return nil
}

// catchUps requests changed passes at their interval, and after outages of the database
// or the portal. Those of NATS end the ownership, and the next begins with catching up.
func (o *owner) catchUps(ctx context.Context) error {
	if o.CatchUpEvery <= 0 {
		return nil
	}
	tick := time.NewTicker(o.CatchUpEvery)
	defer tick.Stop()
	for outage, due := false, false; ; {
		if due {
			err := o.catchUp(ctx, outage)
			if judge(err) == giveUp {
				return err
			}
			if err == nil {
				outage, due = false, false
			} else if ctx.Err() == nil {
				o.Log.WarnContext(ctx, "portal's work waits", "work", "catching up", "member_id", o.memberID(), "error", err)
				pause(ctx, outageAfter)
			}
		}
		if due && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			due = true
		case <-o.outages:
			outage, due = true, true
		}
	}
}

// recovered is called when work succeeds that had failed since a moment.
func (o *owner) recovered(since time.Time) {
	if time.Since(since) < outageAfter {
		return
	}
	select {
	case o.outages <- struct{}{}:
	default: // one is noted already
	}
}

// nightly requests the full pass when it is due. One that was missed, because no process
// ran or the machine slept, is requested at once.
func (o *owner) nightly(ctx context.Context) error {
	if o.NextPass == nil {
		return nil
	}
	var seen time.Time // a moment that has been, whatever the clock says
	return o.repeat(ctx, "nightly pass", scheduleEvery, func(ctx context.Context) error {
		last, ok, err := o.Mirror.LastFull(ctx, o.memberID())
		if err != nil || !ok { // before the import there is nothing to compare
			return err
		}
		now := o.now()
		if seen.IsZero() || seen.After(now) {
			seen = now
		}
		if !Due(o.NextPass, last.RequestedAt, seen, now, jitter(o.memberID())) {
			return nil
		}
		seen = now
		_, err = o.Mirror.RequestRun(ctx, leads.Run{MemberID: o.memberID(), Mode: leads.RunFull})
		return err
	})
}

// Due tells whether a time of the schedule, put off by jitter, has passed since last.
// Where last is yet to come, because the clock was set back, seen counts instead: the
// schedule does not wait for it.
func Due(next func(time.Time) time.Time, last, seen, now time.Time, jitter time.Duration) bool {
	if last.After(now) {
		last = seen
	}
	return !next(last).Add(jitter).After(now)
}

// jitter is always the same for a portal, and spreads portals evenly.
func jitter(memberID string) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(memberID)) // never fails
	return time.Duration(h.Sum64() % uint64(jitterMax))
}
