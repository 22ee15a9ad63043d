package owner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

const (
	// missingMost is how many absent leads are looked up together.
	missingMost = 2500
	// askedAtOnce is how many of them one request asks for, while ReadOrder is held.
	askedAtOnce = 50
)

const (
	// passEvery is how often it is looked whether a pass was requested, for all portals of the
	// process at once.
	passEvery = time.Second / 2
	// lookAnyway is after how long an owner looks although nothing woke it.
	lookAnyway = 5 * time.Minute
)

// hold takes the portal's lease and raises its epoch, works, and gives the lease back. It
// returns events.ErrLeaseHeld where another process has it.
func hold(ctx context.Context, cfg *Config, portal leads.Portal, work func(context.Context, Ownership) error) error {
	lease, err := events.TakeLease(ctx, cfg.Bus, "portal-"+portal.MemberID, cfg.Holder)
	if err != nil {
		return err
	}
	return lease.Hold(ctx, func(ctx context.Context) error {
		epoch, err := cfg.Mirror.Portals.RaiseEpoch(ctx, portal.MemberID, cfg.Holder)
		if err != nil {
			return fmt.Errorf("take over portal %s: %w", portal.MemberID, err)
		}
		return work(ctx, Ownership{Portal: portal, Epoch: epoch, Tickets: leads.NewTickets(epoch), ReadOrder: &sync.Mutex{}})
	})
}

// own holds the portal with a session open.
func own(ctx context.Context, cfg *Config, portal leads.Portal, work func(context.Context, *Session) error) error {
	return hold(ctx, cfg, portal, func(ctx context.Context, own Ownership) error {
		s, err := open(cfg, own)
		if err != nil {
			return err
		}
		defer s.close() //nolint:contextcheck // tokens are stored although the context has ended
		if err := s.upkeep.inherit(ctx); err != nil {
			return err
		}
		return work(ctx, s)
	})
}

// owner does everything that only one process may do for a portal.
type owner struct {
	cfg     *Config
	session *Session
	outages chan struct{} // one was over
}

func newOwner(s *Session) *owner {
	return &owner{cfg: s.cfg, session: s, outages: make(chan struct{}, 1)}
}

// serve runs the parts of the work side by side; the first that gives up ends them all.
func (o *owner) serve(ctx context.Context) error {
	o.cfg.Log.InfoContext(ctx, "took over portal", "member_id", o.session.memberID(), "domain", o.session.own.Portal.Domain)
	if err := o.restoreFromTopic(ctx); err != nil {
		return err
	}
	if err := o.session.fields.load(ctx); err != nil {
		return err
	}
	// What an earlier owner left under way, or the server has lost track of after a kill, is
	// delivered to new consumers at once.
	if err := events.RemoveConsumers(ctx, o.cfg.Bus, o.session.memberID()); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.worker().Run(ctx) })
	for _, part := range []struct {
		part  Part
		every time.Duration
		wake  <-chan struct{}
		do    func(context.Context) error
	}{
		{PartInstallation, 0, nil, o.nextNotice},
		{PartPasses, lookAnyway, o.session.passes.requested, o.session.passes.next},
		{PartSecondLooks, lookAnyway, o.session.absent, o.lookAgain},
		{PartSchedule, scheduleEvery, nil, newNightly(o).check},
		{PartRecord, upkeepEvery, nil, o.session.upkeep.record},
		{PartStatus, o.cfg.scaled(mirrorEvery), nil, o.session.mirror.check},
		{PartUpkeep, upkeepEvery, nil, o.session.upkeep.do},
		{PartOfflineQueue, checkQueue, nil, o.session.queue.drain},
	} {
		group.Go(func() error { return o.repeat(ctx, part.part, part.wake, part.every, part.do) })
	}
	group.Go(func() error { return o.once(ctx, PartBeat, o.firstBeat()) }) // those that follow are of all portals at once
	group.Go(func() error { return o.catchUps(ctx) })
	return group.Wait()
}

func (o *owner) worker() *consumers.Worker {
	s := o.session
	h := s.health
	h.begin(PartNotices)
	return &consumers.Worker{
		MemberID: s.memberID(), Bus: o.cfg.Bus, Reader: s.reader, Mirror: o.cfg.Mirror.Leads, ReadOrder: s.own.ReadOrder,
		RetryPolicy: o.cfg.RetryPolicy, Now: o.cfg.now, Stats: o.cfg.Stats, Wake: o.cfg.Wake, Log: o.cfg.Log,
		Report: func(err error) { h.report(PartNotices, err); h.begin(PartNotices) }, // the next step begins at once
		Heard:  s.heard, Journal: o.cfg.Journal,
	}
}

// repeat calls work at an interval, or when it is woken, until the context ends or it gives up.
func (o *owner) repeat(ctx context.Context, part Part, wake <-chan struct{}, interval time.Duration, work func(context.Context) error) error {
	loop := o.loop(ctx, part)
	loop.Interval, loop.Wake = interval, wake
	return loop.Run(ctx, func(ctx context.Context) error { return o.reported(ctx, part, work) })
}

// once calls work until it succeeds, the context ends or it gives up.
func (o *owner) once(ctx context.Context, part Part, work func(context.Context) error) error {
	err := o.loop(ctx, part).Until(ctx, func(ctx context.Context) error { return o.reported(ctx, part, work) })
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was stopped
	}
	return err
}

func (o *owner) loop(ctx context.Context, part Part) retry.Loop {
	return retry.Loop{
		Policy: retry.Standard, Final: leads.Final, Recovered: o.recovered,
		Failed: func(err error, _ int, pause time.Duration) {
			o.cfg.Log.WarnContext(ctx, "part of a portal's work failed, trying again", "work", part, "member_id", o.session.memberID(), "error", err, "pause", pause)
		},
	}
}

// reported calls work and reports how it ended.
func (o *owner) reported(ctx context.Context, part Part, work func(context.Context) error) error {
	o.session.health.begin(part)
	err := work(ctx)
	if ctx.Err() == nil {
		o.session.health.report(part, err)
	}
	return err
}

// lookAgain asks a second time for leads that were absent without a delete callback. Between
// two requests live reads have their turn.
func (o *owner) lookAgain(ctx context.Context) error {
	ids, err := o.cfg.Mirror.Repairs.Missing(ctx, o.session.memberID(), missingMost)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, askedAtOnce) {
		if err := o.askAgain(ctx, chunk); err != nil {
			return err
		}
		o.session.health.begin(PartSecondLooks)
	}
	return nil
}

func (o *owner) askAgain(ctx context.Context, ids []int64) error {
	o.session.own.ReadOrder.Lock()
	defer o.session.own.ReadOrder.Unlock()
	snaps, err := o.session.reader.Leads(ctx, ids)
	if err != nil {
		return err
	}
	for i := range snaps {
		snaps[i].MemberID, snaps[i].Cause = o.session.memberID(), leads.CauseReconcile
	}
	outcomes, err := consumers.Write(ctx, o.cfg.Mirror.Leads, snaps)
	o.cfg.Stats.Count(outcomes)
	o.cfg.Wake()
	return err
}

// restoreFromTopic gives a database that is new the leads that the topic still holds,
// before the import compares them with the portal: revisions go on, and deletions made
// meanwhile are found.
func (o *owner) restoreFromTopic(ctx context.Context) error {
	_, imported, err := o.cfg.Mirror.Runs.LastCompleted(ctx, o.session.memberID())
	if err != nil || imported {
		return err
	}
	topic, err := events.OpenTopic(ctx, o.cfg.Bus)
	if err != nil {
		return err
	}
	if known, err := o.knowsNewest(ctx, topic); err != nil || known {
		return err
	}
	count, err := consumers.RestoreFromTopic(ctx, o.cfg.Mirror.Repairs, topic, o.session.memberID())
	if err != nil {
		return fmt.Errorf("restore the leads of %s from the topic: %w", o.session.memberID(), err)
	}
	if count > 0 {
		o.cfg.Log.WarnContext(ctx, "the database is new, the topic is not: leads restored from the topic until the import has compared them",
			"member_id", o.session.memberID(), "leads", count)
	}
	return nil
}

// knowsNewest tells that the database has what the topic got last: it was not lost, and nothing is to be restored. What is
// restored comes in the topic's order, so a restore that was cut off lacks it.
func (o *owner) knowsNewest(ctx context.Context, topic *events.Topic) (bool, error) {
	newest, ok, err := topic.Newest(ctx, o.session.memberID())
	if err != nil || !ok {
		return false, err
	}
	rows, err := o.cfg.Mirror.Rows.Range(ctx, newest.MemberID, newest.LeadID-1, newest.LeadID, 1)
	return len(rows) > 0 && rows[0].Revision >= newest.Revision, err
}
