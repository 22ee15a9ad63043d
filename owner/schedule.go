package owner

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

const (
	beatEvery = 10 * time.Second
	// downAfter is after how long without a beat the portal was not served: longer than a
	// lease takes to change hands.
	downAfter = 30 * time.Second
	// scheduleEvery is how often the time of the nightly pass is looked up. A timer for the
	// whole day would stand still while the machine sleeps.
	scheduleEvery = 30 * time.Second
	// lookUpAnyway is after how long the last full pass is read although nothing says that there is a newer one.
	lookUpAnyway = 10 * time.Minute
	// jitterMax spreads the nightly passes of many portals.
	jitterMax = 15 * time.Minute
	// outageAfter is how long work must have failed to count as an outage.
	outageAfter = 2 * time.Second
)

// firstBeat notes that the portal is served, and finds out for how long it was not.
func (o *owner) firstBeat() func(context.Context) error {
	last, noted := time.Time{}, false
	return func(ctx context.Context) (err error) {
		if !noted { // a second one would hide what the first has found
			if last, err = o.cfg.Mirror.Standing.Beat(ctx, o.session.memberID()); err != nil {
				return err
			}
			noted = true
		}
		if err := o.resume(ctx, last); err != nil {
			return err
		}
		o.session.beaten.Store(true)
		return nil
	}
}

// resume requests what makes up for the time since the portal was served last.
func (o *owner) resume(ctx context.Context, last time.Time) error {
	now := o.cfg.now()
	switch {
	case last.After(now): // the clock was set back: nobody knows for how long the portal was not served
		return o.catchUp(ctx, true)
	case last.IsZero(), now.Sub(last) < downAfter:
		return o.catchUp(ctx, false)
	}
	o.cfg.Log.WarnContext(ctx, "no process served the portal", "member_id", o.session.memberID(), "from", last, "to", now.UTC())
	if err := o.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{MemberID: o.session.memberID(), Kind: leads.IncidentDown, From: last, To: now}); err != nil {
		return err
	}
	return o.catchUp(ctx, true)
}

// catchUp requests a pass over what was changed and, after an outage, one over the ids,
// so that deletions do not wait for the night. Before the import there is nothing to
// catch up with.
func (o *owner) catchUp(ctx context.Context, outage bool) error {
	if o.cfg.CatchUpEvery <= 0 {
		return nil
	}
	mark, err := o.cfg.Mirror.Runs.Watermark(ctx, o.session.memberID())
	if err != nil || mark.At.IsZero() {
		return err
	}
	modes := []leads.RunMode{leads.RunChanged}
	if outage {
		modes = append(modes, leads.RunIDs)
	}
	for _, mode := range modes {
		if _, err := o.cfg.Mirror.Runs.RequestRun(ctx, leads.Run{MemberID: o.session.memberID(), Mode: mode}); err != nil {
			return err
		}
	}
	return nil
}

// catchUps requests changed passes at their interval, and after outages of the database
// or the portal. Those of NATS end the ownership, and the next begins with catching up.
func (o *owner) catchUps(ctx context.Context) error {
	if o.cfg.CatchUpEvery <= 0 {
		return nil
	}
	tick := time.NewTicker(o.cfg.CatchUpEvery)
	defer tick.Stop()
	loop := retry.Loop{
		Policy: retry.Policy{First: outageAfter, Max: outageAfter}, Final: leads.Final,
		Failed: func(err error, _ int, pause time.Duration) {
			o.cfg.Log.WarnContext(ctx, "part of a portal's work failed, trying again", "work", "catching up", "member_id", o.session.memberID(), "error", err, "pause", pause)
		},
	}
	for {
		outage := false
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-o.outages:
			outage = true
		}
		err := loop.Until(ctx, func(ctx context.Context) error {
			select {
			case <-o.outages:
				outage = true
			default:
			}
			return o.catchUp(ctx, outage)
		})
		if err != nil && ctx.Err() == nil {
			return err
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

// importAgain is how long after an import that was given up another is requested.
const importAgain = 10 * time.Minute

// nightly requests the full pass when it is due. One that was missed, because no process
// ran or the machine slept, is requested at once.
type nightly struct {
	o    *owner
	seen time.Time // a moment that has been, whatever the clock says

	last   leads.Run // the last full pass, as it was read
	ended  int64     // how many passes had ended then
	readAt time.Time // when that was; zero where it has to be read again
}

func newNightly(o *owner) *nightly { return &nightly{o: o} }

func (n *nightly) check(ctx context.Context) error {
	known := n.known()
	mode, err := n.due(ctx)
	if known && mode != "" { // another process may have asked for it meanwhile
		n.readAt = time.Time{}
		mode, err = n.due(ctx)
	}
	if err != nil || mode == "" {
		return err
	}
	n.readAt = time.Time{}
	if err := n.request(ctx, mode); err != nil {
		return err
	}
	if mode == leads.RunFull {
		n.seen = n.o.cfg.now()
	}
	return nil
}

// known tells whether the last full pass is still as it was read: none has ended since, and none
// was asked for.
func (n *nightly) known() bool {
	s := n.o.session
	due := s.due.Load()
	return !n.readAt.IsZero() && n.last.Finished() && n.ended == s.passes.ended.Load() && due != nil && !due.Pass && time.Since(n.readAt) < lookUpAnyway
}

// lookUp reads the last full pass, unless it is known. Before the import there is none.
func (n *nightly) lookUp(ctx context.Context) (ok bool, err error) {
	if n.known() {
		return true, nil
	}
	s := n.o.session
	ended := s.passes.ended.Load()
	n.last, ok, err = n.o.cfg.Mirror.Runs.LastFull(ctx, s.memberID())
	n.readAt = time.Time{}
	if err == nil && ok {
		n.ended, n.readAt = ended, time.Now()
	}
	return ok, err
}

// due is the pass that is due; "" where none is.
func (n *nightly) due(ctx context.Context) (leads.RunMode, error) {
	o := n.o
	ok, err := n.lookUp(ctx)
	if err != nil || !ok { // before the import there is nothing to compare
		return "", err
	}
	last := n.last
	if last.Finished() { // the problem stands until the next one has ended
		o.session.health.report(PartLastPass, givenUp(last))
	}
	now := o.cfg.now()
	rested := last.FinishedAt.After(now) || now.Sub(last.FinishedAt) >= importAgain // ahead of now: the clock was set back
	if last.Mode == leads.RunImport && last.State == leads.RunIncomplete && rested {
		return leads.RunImport, nil
	}
	if o.cfg.NextPass == nil {
		return "", nil
	}
	if n.seen.IsZero() || n.seen.After(now) {
		n.seen = now
	}
	if !Due(o.cfg.NextPass, last.RequestedAt, n.seen, now, jitter(o.session.memberID())) {
		return "", nil
	}
	return leads.RunFull, nil
}

func (n *nightly) request(ctx context.Context, mode leads.RunMode) error {
	_, err := n.o.cfg.Mirror.Runs.RequestRun(ctx, leads.Run{MemberID: n.o.session.memberID(), Mode: mode})
	return err
}

// givenUp is the problem of a portal whose last import or full pass did not reach its end;
// nil if it did.
func givenUp(last leads.Run) error {
	if last.State != leads.RunIncomplete {
		return nil
	}
	return fmt.Errorf("the pass %s (%s) was given up, so leads may be missing: %s", last.ID, last.Mode, last.Error)
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
