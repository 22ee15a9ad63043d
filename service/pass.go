package service

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
)

// followEvery is how often the progress of a run is looked up.
const followEvery = 250 * time.Millisecond

// WorkAlone does the work of a portal's owner as long as no service does: passes and the
// relay. It ends with the context, or with what neither can mend.
func (b *Backend) WorkAlone(ctx context.Context, portal leads.Portal) error {
	topic, err := events.OpenTopic(ctx, b.NATS.Bus())
	if err != nil {
		return err
	}
	stats, wake := &consumers.Stats{}, make(chan struct{}, 1)
	relay := &consumers.Relay{Bus: b.NATS.Bus(), Outbox: b.DB, Topic: topic, Holder: b.Holder, Wake: wake, Stats: stats, Log: b.Log}
	cfg := b.OwnerConfig(stats, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return relay.Run(ctx) })
	group.Go(func() error { return owner.RunPasses(ctx, cfg, portal, b.DB.CheckRules) })
	return group.Wait()
}

// Follow shows a run's progress until it has ended and what it wrote is announced.
// A run that disappears or that somebody pauses is an error.
func (p Passes) Follow(ctx context.Context, id string, shown *Progress) (leads.Run, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		run, ok, err := p.db.Run(ctx, id)
		if err != nil {
			return run, err
		}
		if !ok {
			return run, fmt.Errorf("run %s has disappeared from leadsync_runs", id)
		}
		shown.show(run)
		if standing, _, err := p.db.Standing(ctx, run.MemberID); err == nil && p.now().Sub(standing.BeatAt) <= servedWithin { // else it is what a process met that has ended
			shown.warn(standing.Problem)
		}
		switch {
		case run.Finished():
			return run, p.announced(ctx, run.FinishedAt, shown)
		case run.State == leads.RunPaused:
			return run, fmt.Errorf("somebody paused the pass at lead %d; go on with: leadsync reconcile --resume", run.Checkpoint)
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-tick.C:
		}
	}
}

// announced waits until nothing of what was written by then waits in the outbox; of a
// portal that lives there is always something newer.
func (p Passes) announced(ctx context.Context, by time.Time, shown *Progress) error {
	tick, began := time.NewTicker(followEvery/5), time.Now()
	defer tick.Stop()
	for {
		oldest, err := p.db.OutboxOldest(ctx)
		if err != nil || oldest.IsZero() || oldest.After(by) {
			return err
		}
		if time.Since(began) > plainEvery {
			shown.wait("The rows are written. Waiting until the changes are published on the topic.")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
