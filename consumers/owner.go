package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"leadsync/events"
	"leadsync/leads"
)

// Desk is one portal as its owner works on it.
type Desk interface {
	Reader
	// Bind has the portal send its events to us; repeating it changes nothing.
	Bind(ctx context.Context) error
	// Installed asks whether our application is still installed there.
	Installed(ctx context.Context) (bool, error)
	// Pass runs a reconciliation to its end; what stopped before that goes on when the
	// run is claimed again.
	Pass(ctx context.Context, run leads.Run) error
	// Upkeep does what has to be done from time to time: see that the events are still
	// bound, keep idle tokens alive, note how the budget stands.
	Upkeep(ctx context.Context) error
	// Drain empties the portal's own queue of events, when that is due.
	Drain(ctx context.Context) error
	// Rang is called for callbacks that concern no lead and no installation: the doorbell
	// of that queue, the answer to a test.
	Rang(event string)
	// Close is called when the portal is no longer ours.
	Close()
}

// How often a desk's Upkeep and Drain are called.
const (
	upkeepEvery = 5 * time.Second
	drainEvery  = time.Second
)

// Mirror is what owning a portal needs of the database.
type Mirror interface {
	Applier
	Failures
	Callbacks
	RaiseEpoch(ctx context.Context, memberID, owner string) (int64, error)
	Missing(ctx context.Context, memberID string, limit int) ([]int64, error)
	Portals(ctx context.Context) ([]leads.Portal, error)
	// SetPortalStateFrom changes the state of a portal whose record is still the one that
	// was seen; false where somebody has written it since.
	SetPortalStateFrom(ctx context.Context, seen leads.Portal, state leads.PortalState) (bool, error)
	RequestRun(ctx context.Context, run leads.Run) (string, error)
	ClaimRun(ctx context.Context, memberID string) (leads.Run, bool, error)
	LastCompleted(ctx context.Context, memberID string) (leads.Run, bool, error)
	Restorer
	Planner
}

// Ownership is what a desk is opened with.
type Ownership struct {
	Portal  leads.Portal
	Epoch   int64 // how often the portal has changed its owner; 1 for its first
	Tickets *leads.Tickets
	// Turn is held while the result of a read is on its way into the mirror. A pass
	// draws its ticket and compares within a turn, and reads outside of it.
	Turn sync.Locker
}

// OwnerConfig is what owners share.
type OwnerConfig struct {
	JS     jetstream.JetStream
	Mirror Mirror
	Open   func(Ownership) (Desk, error)
	Holder string // names this process
	// NextPass returns when the nightly full pass after a moment is due; nil is never.
	NextPass func(after time.Time) time.Time
	// CatchUpEvery is the time between two passes over what was changed; 0 is never, at
	// start and after outages neither.
	CatchUpEvery time.Duration
	// Patience is when a lead that failed is tried again; nil is the package's.
	Patience func(attempts int) (wait time.Duration, again bool)
	// Grace is after how long a lead that was absent is asked for again.
	Grace time.Duration
	Now   func() time.Time // our clock; nil is time.Now
	Stats *Stats
	Wake  func() // there is something to relay
	Log   *slog.Logger
}

// Own takes the portal's lease and raises its epoch, works, and gives the lease back. It
// returns events.ErrLeaseHeld where another process has it.
func Own(ctx context.Context, cfg OwnerConfig, portal leads.Portal, work func(context.Context, Desk, Ownership) error) error {
	lease, err := events.TakeLease(ctx, cfg.JS, "portal-"+portal.MemberID, cfg.Holder)
	if err != nil {
		return err
	}
	return lease.Hold(ctx, func(ctx context.Context) error {
		epoch, err := cfg.Mirror.RaiseEpoch(ctx, portal.MemberID, cfg.Holder)
		if err != nil {
			return fmt.Errorf("take over portal %s: %w", portal.MemberID, err)
		}
		own := Ownership{Portal: portal, Epoch: epoch, Tickets: leads.NewTickets(epoch), Turn: &sync.Mutex{}}
		desk, err := cfg.Open(own)
		if err != nil {
			return err
		}
		defer desk.Close()
		return work(ctx, desk, own)
	})
}

// owner does everything that only one process may do for a portal.
type owner struct {
	OwnerConfig

	desk    Desk
	own     Ownership
	outages chan struct{} // one was over
}

// serve runs the parts of the work side by side; the first that gives up ends them all.
func (o *owner) serve(ctx context.Context) error {
	o.Log.InfoContext(ctx, "portal is ours", "member_id", o.memberID(), "domain", o.own.Portal.Domain)
	if err := o.recall(ctx); err != nil {
		return err
	}
	// What an earlier owner left under way, or the server has lost track of (design
	// section 9), is delivered to new consumers at once.
	if err := events.RemoveConsumers(ctx, o.JS, o.memberID()); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	w := &worker{
		memberID: o.memberID(), js: o.JS, reader: o.desk, mirror: o.Mirror, turn: o.own.Turn,
		patience: o.Patience, now: o.now, stats: o.Stats, wake: o.Wake, log: o.Log,
	}
	if w.patience == nil {
		w.patience = Patience
	}
	group.Go(func() error { return w.run(ctx) })
	group.Go(func() error { return o.installs(ctx) })
	group.Go(func() error { return o.repeat(ctx, "passes", time.Second/2, o.passes) })
	group.Go(func() error { return o.repeat(ctx, "second looks", o.Grace/4, o.lookAgain) })
	group.Go(func() error { return o.nightly(ctx) })
	group.Go(func() error { return o.beat(ctx) })
	group.Go(func() error { return o.catchUps(ctx) })
	group.Go(func() error { return o.repeat(ctx, "upkeep", upkeepEvery, o.desk.Upkeep) })
	group.Go(func() error { return o.repeat(ctx, "offline queue", drainEvery, o.desk.Drain) })
	return group.Wait()
}

// now is our clock, which somebody may set.
func (c *OwnerConfig) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (o *owner) memberID() string { return o.own.Portal.MemberID }

// repeat calls work at an interval until the context ends or it gives up.
func (o *owner) repeat(ctx context.Context, what string, interval time.Duration, work func(context.Context) error) error {
	var ill time.Time // since when
	for failures := 0; ctx.Err() == nil; {
		err := work(ctx)
		switch judge(err) {
		case carryOn:
			if failures > 0 {
				o.recovered(ill)
			}
			failures = 0
			pause(ctx, interval)
		case giveUp:
			return err
		case tryLater:
			if ctx.Err() == nil {
				o.Log.WarnContext(ctx, "portal's work waits", "work", what, "member_id", o.memberID(), "error", err)
			}
			if failures == 0 {
				ill = time.Now()
			}
			pause(ctx, delay(failures))
			failures++
		}
	}
	return nil
}

// passes runs what was requested, and what a former owner left unfinished.
func (o *owner) passes(ctx context.Context) error {
	run, ok, err := o.Mirror.ClaimRun(ctx, o.memberID())
	if err != nil || !ok {
		return err
	}
	return o.desk.Pass(ctx, run)
}

// lookAgain asks a second time for leads that were absent without a delete callback.
func (o *owner) lookAgain(ctx context.Context) error {
	ids, err := o.Mirror.Missing(ctx, o.memberID(), batchMax)
	if err != nil || len(ids) == 0 {
		return err
	}
	o.own.Turn.Lock()
	defer o.own.Turn.Unlock()
	snaps, err := o.desk.Leads(ctx, ids)
	if err != nil {
		return err
	}
	for i := range snaps {
		snaps[i].MemberID, snaps[i].Cause = o.memberID(), leads.CauseReconcile
	}
	outcomes, err := apply(ctx, o.Mirror, snaps)
	o.Stats.Count(outcomes)
	o.Wake()
	return err
}

// installs binds the events of a portal that was authorized, then has its leads
// imported: in this order, so that no change falls between.
func (o *owner) installs(ctx context.Context) error {
	return o.repeat(ctx, "installation", 0, func(ctx context.Context) error {
		consumer, err := events.Portals(ctx, o.JS, o.memberID())
		if err != nil {
			return err
		}
		msgs, err := next(ctx, consumer)
		if err != nil || len(msgs) == 0 {
			return err
		}
		defer events.KeepWorking(msgs)()
		notice, err := events.ParsePortalNotice(msgs[0])
		if err != nil {
			o.Log.ErrorContext(ctx, "message is no portal notice", "subject", msgs[0].Subject(), "error", err)
			return msgs[0].Term()
		}
		if err := o.installed(ctx, notice); err != nil {
			events.GiveBack(msgs)
			return err
		}
		return msgs[0].Ack()
	})
}

func (o *owner) installed(ctx context.Context, notice events.PortalNotice) error {
	switch notice.Event {
	case events.Uninstalled:
		return o.uninstalled(ctx)
	case events.Doorbell, events.Tested:
		o.desk.Rang(string(notice.Event))
		return nil
	default: // the events are bound again
	}
	if err := o.desk.Bind(ctx); err != nil {
		return err
	}
	_, again, err := o.Mirror.LastCompleted(ctx, o.memberID())
	if err != nil {
		return err
	}
	mode := leads.RunImport
	if again {
		mode = leads.RunFull // changes while it was not installed sent no events
	}
	_, err = o.Mirror.RequestRun(ctx, leads.Run{MemberID: o.memberID(), Mode: mode})
	return err
}

// uninstalled believes the portal, not the callback.
func (o *owner) uninstalled(ctx context.Context) error {
	seen, err := o.record(ctx)
	if err != nil {
		return err
	}
	there, err := o.desk.Installed(ctx)
	if err != nil && !errors.Is(err, leads.ErrUnauthorized) {
		return err
	}
	if there {
		o.Log.WarnContext(ctx, "a callback says the application was removed, the portal says it was not", "member_id", o.memberID())
		return nil
	}
	gone, err := o.Mirror.SetPortalStateFrom(ctx, seen, leads.PortalUninstalled)
	if gone {
		o.Log.WarnContext(ctx, "application was removed from the portal", "member_id", o.memberID())
	}
	return err // where it was installed again meanwhile, that counts
}

// record is the portal as it is stored now.
func (o *owner) record(ctx context.Context) (leads.Portal, error) {
	portals, err := o.Mirror.Portals(ctx)
	for _, p := range portals {
		if p.MemberID == o.memberID() {
			return p, nil
		}
	}
	return o.own.Portal, err
}

// RunPasses waits for the portal's lease and, while it has it, runs the passes that are
// requested: what a command does that works without a running service.
func RunPasses(ctx context.Context, cfg OwnerConfig, portal leads.Portal) error {
	for ctx.Err() == nil {
		err := Own(ctx, cfg, portal, func(ctx context.Context, desk Desk, own Ownership) error {
			o := &owner{OwnerConfig: cfg, desk: desk, own: own, outages: make(chan struct{}, 1)}
			return o.repeat(ctx, "passes", time.Second/2, o.passes)
		})
		if err != nil && !errors.Is(err, events.ErrLeaseHeld) {
			return err
		}
		pause(ctx, events.LeaseLife/5)
	}
	return nil
}
