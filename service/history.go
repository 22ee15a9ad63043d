package service

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

const (
	// pruneAfter is how long after its start a process looks for old history first: a start has
	// other work.
	pruneAfter = 15 * time.Minute
	pruneEvery = 24 * time.Hour
	// pruneAgain is the pause after a failure.
	pruneAgain = 10 * time.Minute
	// pruneRest is the shortest pause between two transactions.
	pruneRest = 50 * time.Millisecond
	// forgetAtOnce is how many given-up leads are forgotten together.
	forgetAtOnce = 100
)

// history deletes what is older than LEADSYNC_KEEP and LEADSYNC_KEEP_CHANGES, in one process at a
// time, and counts it.
type history struct {
	db   *repo.DB
	keep time.Duration // 0 keeps all
	// keepChanges is the same for leadsync_changes.
	keepChanges time.Duration
	holder      string // names this process in the lease
	scaled      func(time.Duration) time.Duration
	now         func() time.Time
	log         *slog.Logger

	deleted tally
	sizes   atomic.Pointer[map[string]int64] // of tables, as they were seen last; nil at first
}

// run deletes old history once a day, until the context ends.
func (h *history) run(ctx context.Context, bus *events.Bus) error {
	if h.keep == 0 && h.keepChanges == 0 {
		return nil
	}
	_ = retry.Wait(ctx, h.scaled(pruneAfter)) // the loop looks whether the context has ended
	loop := retry.Loop{
		Policy: retry.Policy{First: h.scaled(pruneAgain), Max: h.scaled(pruneAgain)}, Interval: h.scaled(pruneEvery),
		Failed: func(err error, _ int, pause time.Duration) {
			h.log.WarnContext(ctx, "old history cannot be deleted, trying again", "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error { return h.once(ctx, bus) })
}

// once deletes old history, unless another process does.
func (h *history) once(ctx context.Context, bus *events.Bus) error {
	lease, err := events.TakeLease(ctx, bus, "history", h.holder)
	if err == nil {
		err = lease.Hold(ctx, func(ctx context.Context) error { return h.prune(ctx, bus) })
	}
	if errors.Is(err, events.ErrLeaseHeld) {
		return nil
	}
	return err
}

// prune deletes what is old now.
func (h *history) prune(ctx context.Context, bus *events.Bus) error {
	before, changes, was := h.before(h.keep), h.before(h.keepChanges), h.deleted.rows()
	err := h.db.Prune(ctx, repo.Pruning{
		Before: before, Changes: changes, Deleted: h.deleted.add,
		Rest: func(ctx context.Context, took time.Duration) error {
			return retry.Wait(ctx, h.scaled(max(took, pruneRest)))
		},
	})
	if err == nil && h.keep > 0 {
		err = h.forget(ctx, consumers.Parked{Bus: bus, Failures: h.db}, before)
	}
	now := h.deleted.rows()
	maps.DeleteFunc(now, func(table string, n int64) bool { return n == was[table] })
	if len(now) > 0 {
		h.log.InfoContext(ctx, "old history deleted", "before", before.UTC(), "changes_before", changes.UTC(), "rows_since_start", now)
	}
	return err
}

// before is the moment before which history goes; zero keeps all.
func (h *history) before(keep time.Duration) time.Time {
	if keep == 0 {
		return time.Time{}
	}
	return h.now().Add(-keep)
}

// forget forgets leads that were given up and have not failed since a moment: their rows in
// leadsync_failures and their dead letters.
func (h *history) forget(ctx context.Context, parked consumers.Parked, before time.Time) error {
	portals, err := h.db.Portals(ctx)
	if err != nil {
		return err
	}
	for _, portal := range portals {
		old, err := parked.Parked(ctx, portal.MemberID)
		if err != nil {
			return err
		}
		old = slices.DeleteFunc(old, func(f leads.Failing) bool { return !f.LastAt.Before(before) })
		for some := range slices.Chunk(old, forgetAtOnce) {
			if err := parked.Forget(ctx, portal.MemberID, some); err != nil {
				return err
			}
			h.deleted.add("leadsync_failures", int64(len(some)))
		}
	}
	return nil
}

// sizesEvery is how often the sizes of tables are looked up: SQLite has to count.
const sizesEvery = 10 * time.Minute

// watch looks up the sizes of tables until the context ends, so that no scrape waits for
// them.
func (h *history) watch(ctx context.Context) error {
	loop := retry.Loop{
		Policy: retry.Policy{First: sizesEvery, Max: sizesEvery}, Interval: sizesEvery,
		Failed: func(err error, _ int, pause time.Duration) {
			h.log.DebugContext(ctx, "sizes of tables are unknown, trying again", "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error {
		sizes, err := h.db.TableRows(ctx)
		if err == nil {
			h.sizes.Store(&sizes)
		}
		return err
	})
}

// tally counts rows by table.
type tally struct {
	mu    sync.Mutex
	count map[string]int64
}

func (t *tally) add(table string, rows int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = map[string]int64{}
	}
	t.count[table] += rows
}

func (t *tally) rows() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.count)
}
