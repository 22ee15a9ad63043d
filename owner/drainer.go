package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"leadsync/leads"
)

// Queue is a portal's own queue of events: the second way in, which loses nothing while
// we are away.
type Queue interface {
	// Next clears a batch, unless it is empty, and reads the next one; one without messages
	// is the end. After an error something may be reserved that nobody knows of.
	Next(ctx context.Context, done leads.OfflineBatch) (leads.OfflineBatch, error)
	// Reserved names what was read and not cleared; Again reads it once more.
	Reserved(ctx context.Context) ([]string, error)
	Again(ctx context.Context, process string) (leads.OfflineBatch, error)
	Clear(ctx context.Context, done leads.OfflineBatch) error
}

// Drainer empties a portal's own queue. Events are stored as notices before the portal
// may forget them, and before more are read. Drain is called by one goroutine.
type Drainer struct {
	Queue Queue
	// Store returns when notices of these events are on disk, at most one for each lead.
	Store func(ctx context.Context, events []leads.OfflineEvent) error
	// Heard is when the last callback of each of these leads came, by our clock; it leaves out
	// leads without a callback.
	Heard func(ctx context.Context, ids []int64) (map[int64]time.Time, error)
	// MinAge is how long a callback may take before it counts as lost; 0 means a minute.
	MinAge time.Duration
	// Since is when we became reachable for callbacks, by our clock: a change before that
	// without a callback does not count as silence of the portal.
	Since time.Time
	Now   func() time.Time
	Log   *slog.Logger

	// Taken counts stored events, Lost those without a callback, and Silent the lost ones
	// that happened while we were reachable.
	Taken, Lost, Silent atomic.Int64

	swept    bool                // nothing is reserved that we do not know of
	stored   map[string]bool     // reserved batches that were stored, and could not be cleared
	cleared  map[string]string   // reserved batches that were cleared, and the first message of each
	doubtful map[int64]time.Time // when leads without a callback so far were changed, by our clock
}

const (
	// clocksDiffer is how far the portal's clock may differ from our estimate of it: we
	// learn it from answers that take a while.
	clocksDiffer = time.Second
	// sweepsMax bounds the reserved batches of one sweep.
	sweepsMax = 100
)

// Drain empties the queue. What an earlier process, or a request whose answer was lost,
// has left reserved comes last: by then nothing else is in the queue.
func (d *Drainer) Drain(ctx context.Context) error {
	if err := d.newest(ctx); err != nil {
		d.swept = false
		return err
	}
	if !d.swept {
		if d.stored == nil {
			d.stored, d.cleared = map[string]bool{}, map[string]string{}
		}
		if err := d.sweep(ctx); err != nil {
			return err
		}
		d.swept = true
	}
	return d.countLost(ctx)
}

func (d *Drainer) newest(ctx context.Context) error {
	var done leads.OfflineBatch
	for {
		batch, err := d.Queue.Next(ctx, done)
		if err != nil || len(batch.Messages) == 0 {
			return err
		}
		if err := d.store(ctx, batch); err != nil {
			return err
		}
		done = batch
	}
}

// sweep stores and clears what is reserved.
func (d *Drainer) sweep(ctx context.Context) error {
	for range sweepsMax {
		names, err := d.Queue.Reserved(ctx)
		if err != nil {
			return err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return d.stored[name] })
		if len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if err := d.leftBehind(ctx, name); err != nil {
				return err
			}
		}
	}
	return errors.New("offline events stay reserved however often they are cleared")
}

// leftBehind deals with one reserved batch. One that the portal does not let us clear, or
// says it has cleared and has not, is stored once or twice, and kept by the portal for thirty days.
func (d *Drainer) leftBehind(ctx context.Context, name string) error {
	batch, err := d.Queue.Again(ctx, name)
	if err != nil {
		return err
	}
	if err := d.store(ctx, batch); err != nil {
		return err
	}
	d.Log.InfoContext(ctx, "offline events were reserved and not cleared", "events", len(batch.Messages))
	err = d.Queue.Clear(ctx, batch)
	if errors.Is(err, leads.ErrRefused) || err == nil && (len(batch.Messages) == 0 || d.cleared[name] == batch.Messages[0]) {
		d.stored[name] = true
		d.Log.ErrorContext(ctx, "offline events cannot be cleared", "events", len(batch.Messages), "error", err)
		return nil
	}
	if err == nil {
		d.cleared[name] = batch.Messages[0]
	}
	return err
}

// store keeps notices of a batch's events, except for leads whose callback has come since:
// the callback's notice is on disk, and reading the lead for it gives the same result.
func (d *Drainer) store(ctx context.Context, batch leads.OfflineBatch) error {
	events := lastOfEach(batch.Events)
	if len(events) == 0 {
		return nil
	}
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.LeadID
	}
	heard, err := d.Heard(ctx, ids)
	if err != nil {
		return fmt.Errorf("look for callbacks of %d leads: %w", len(ids), err)
	}
	ahead := time.Duration(0)
	if !batch.At.IsZero() {
		ahead = batch.At.Sub(d.Now())
	}
	if d.doubtful == nil {
		d.doubtful = map[int64]time.Time{}
	}
	var fresh []leads.OfflineEvent
	for _, e := range events {
		at := e.At.Add(-ahead)
		// The portal tells whole seconds: it happened up to one later. A callback of the future
		// came before our clock was set back, and proves nothing.
		if last, ok := heard[e.LeadID]; ok && !e.At.IsZero() && last.After(at.Add(time.Second+clocksDiffer)) && !last.After(d.Now()) {
			continue
		}
		fresh = append(fresh, e)
		d.doubtful[e.LeadID] = at
	}
	if err := d.Store(ctx, fresh); err != nil {
		return fmt.Errorf("store %d offline events: %w", len(fresh), err)
	}
	d.Taken.Add(int64(len(fresh)))
	return nil
}

// lastOfEach is one event for each lead, ascending: the last, but a deletion before all.
func lastOfEach(events []leads.OfflineEvent) []leads.OfflineEvent {
	last := map[int64]leads.OfflineEvent{}
	for _, e := range events {
		before, ok := last[e.LeadID]
		switch {
		case !ok:
		case before.Event == leads.EventDeleted && e.Event != leads.EventDeleted:
			before.At = laterOf(before.At, e.At)
			e = before
		default:
			e.At = laterOf(before.At, e.At)
		}
		last[e.LeadID] = e
	}
	list := make([]leads.OfflineEvent, 0, len(last))
	for _, e := range last {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b leads.OfflineEvent) int { return int(a.LeadID - b.LeadID) })
	return list
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// countLost counts changes as lost if no callback reported them in time.
func (d *Drainer) countLost(ctx context.Context) error {
	young := d.MinAge
	if young == 0 {
		young = time.Minute
	}
	var ids []int64
	now := d.Now()
	for id, at := range d.doubtful {
		switch {
		case now.Sub(at) > young:
			ids = append(ids, id)
		case at.Sub(now) > young: // the clock was set back: no callback can be told from it
			delete(d.doubtful, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	heard, err := d.Heard(ctx, ids)
	if err != nil {
		return fmt.Errorf("look for callbacks of %d leads: %w", len(ids), err)
	}
	lost := int64(0)
	for _, id := range ids {
		if last, ok := heard[id]; !ok || last.Before(d.doubtful[id].Add(-2*clocksDiffer)) {
			lost++
			if d.doubtful[id].After(d.Since) {
				d.Silent.Add(1)
			}
		}
		delete(d.doubtful, id)
	}
	if lost > 0 {
		d.Lost.Add(lost)
		d.Log.WarnContext(ctx, "the offline queue reported changes without a callback", "leads", lost)
	}
	return nil
}
