package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/retry"
)

const (
	relayBatch    = 2000
	relayInterval = 250 * time.Millisecond // between looks at an empty outbox
)

// Outbox holds changes that were written and are to be announced.
type Outbox interface {
	// Outbox returns the oldest, in the order of their commits; fewer than limit where their cards are large.
	Outbox(ctx context.Context, limit int) ([]leads.Announcement, error)
	DropOutbox(ctx context.Context, ids []int64) error
	// RaiseRevisions announces rows again, above the revision that the topic holds, where the
	// topic does not hold their past.
	RaiseRevisions(ctx context.Context, memberID string, topic []leads.OnTopic) (int, error)
}

// Relay moves the outbox onto the topic: publish, then delete. A crash between the two
// publishes again, which the topic recognises. One relay works at a time, by lease.
type Relay struct {
	Bus    *events.Bus
	Outbox Outbox
	Topic  *events.Topic
	Holder string // names this process
	Wake   <-chan struct{}
	Stats  *Stats
	// Journal keeps which revision went to which place of the topic; nil keeps nothing.
	Journal *journal.Journal
	Log     *slog.Logger
}

// Run relays until the context ends.
func (r *Relay) Run(ctx context.Context) error {
	loop := retry.Loop{
		Policy: retry.Near, Interval: events.LeaseLife / 5,
		Failed: func(err error, _ int, pause time.Duration) {
			r.Log.WarnContext(ctx, "cannot publish the outbox, retrying", "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error {
		moved, err := r.hold(ctx)
		if err != nil && ctx.Err() == nil {
			r.Stats.relayed(err)
		}
		switch {
		case errors.Is(err, events.ErrLeaseHeld): // another process relays
			r.Stats.relayed(nil)
			return nil
		case err != nil && moved && ctx.Err() == nil: // it works at times: the pauses need not grow
			r.Log.WarnContext(ctx, "cannot publish the outbox, retrying", "error", err)
			return nil
		}
		return err
	})
}

// hold relays while it has the lease, and tells whether any change was moved.
func (r *Relay) hold(ctx context.Context) (moved bool, err error) {
	lease, err := events.TakeLease(ctx, r.Bus, "relay", r.Holder)
	if err != nil {
		return false, err
	}
	err = lease.Hold(ctx, func(ctx context.Context) error { return r.loop(ctx, &moved) })
	return moved, err
}

func (r *Relay) loop(ctx context.Context, some *bool) error {
	tick := time.NewTicker(relayInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		moved, err := r.move(ctx)
		if err != nil {
			return err
		}
		r.Stats.relayed(nil)
		*some = *some || moved > 0
		if moved > 0 { // there may be more
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.Wake:
		case <-tick.C:
		}
	}
	return nil
}

// move publishes one batch and deletes it. It finishes although a stop was asked for.
func (r *Relay) move(ctx context.Context) (int, error) {
	ctx, cancel := finishing(ctx)
	defer cancel()
	rows, err := r.Outbox.Outbox(ctx, relayBatch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids, changes := make([]int64, len(rows)), make([]leads.Change, 0, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		if !row.Lost {
			changes = append(changes, row.Change)
		}
	}
	if lost := len(rows) - len(changes); lost > 0 {
		r.Log.WarnContext(ctx, "rows were deleted or damaged before their changes were published; if the portal has these leads, the next pass announces them",
			"changes", lost, "first_outbox_id", ids[0])
	}
	on, err := r.Topic.PublishAll(ctx, changes)
	if err != nil {
		return 0, err
	}
	ahead := map[string][]leads.OnTopic{} // by portal, where the topic has left the change behind
	for i, change := range changes {
		if on[i].Revision > change.Revision || on[i].Distinct {
			ahead[change.MemberID] = append(ahead[change.MemberID], on[i])
		}
	}
	if err := r.raiseRevisions(ctx, ahead); err != nil {
		return 0, err
	}
	if err := r.Outbox.DropOutbox(ctx, ids); err != nil {
		return 0, fmt.Errorf("clear the outbox: %w", err)
	}
	for _, change := range changes {
		r.Stats.announced(change)
	}
	r.note(changes, on)
	return len(rows), nil
}

// note writes into the journal what was published.
func (r *Relay) note(changes []leads.Change, on []leads.OnTopic) {
	if r.Journal == nil {
		return
	}
	now, entries := time.Now(), make([]journal.Entry, len(changes))
	for i := range changes {
		c := &changes[i]
		entries[i] = journal.Entry{
			At: now, Kind: journal.Published, MemberID: c.MemberID, LeadID: c.LeadID, Revision: c.Revision, Sequence: on[i].Sequence,
		}
	}
	r.Journal.Add(entries...)
}

// raiseRevisions deals with changes that are behind the topic. Mostly a relay published
// them and was killed before it could delete them here. But a database that was lost or
// restored repeats revision numbers, and subscribers would never see its changes.
func (r *Relay) raiseRevisions(ctx context.Context, ahead map[string][]leads.OnTopic) error {
	for memberID, on := range ahead {
		raised, err := r.Outbox.RaiseRevisions(ctx, memberID, on)
		if err != nil {
			return err
		}
		if raised > 0 {
			r.Log.WarnContext(ctx, "the database is behind the topic: it was lost or restored; revisions go on above the topic's",
				"member_id", memberID, "leads", raised)
		}
	}
	return nil
}
