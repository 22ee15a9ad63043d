package consumers_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"leadsync/consumers"
	"leadsync/leads"
)

// tally counts the leads that were read and are not written yet.
type tally struct{ now, most atomic.Int64 }

func (c *tally) add(n int) {
	now := c.now.Add(int64(n))
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
}

// countingMirror writes what was read; before says when.
type countingMirror struct {
	consumers.Mirror

	inHand *tally
	before func()
}

func (m countingMirror) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	if len(snaps) > 0 {
		m.before()
		defer m.inHand.add(-len(snaps))
	}
	return m.Mirror.Apply(ctx, snaps)
}

// Where the database takes its time and the portal does not, or the other way round, leads go on
// changing, come and go, while what was read waits. Meanwhile nothing else is read, so that
// memory is bounded. Afterwards each row is the newest read, and the topic has every revision in
// its order.
func TestOneSideIsSlow(t *testing.T) {
	for _, name := range []string{"the database", "the portal"} {
		t.Run(name, func(t *testing.T) {
			h := open(t, 40)
			ids, inHand := h.ids(), &tally{}
			begun, goOn := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(goOn) })
			hold := sync.OnceFunc(func() { close(begun); <-goOn })
			never := func() {}
			mirror, answered := countingMirror{h.db, inHand, hold}, never
			if name == "the portal" {
				mirror.before, answered = never, hold
			}
			h.script.set(nil, func(snaps []leads.Snapshot) { inHand.add(len(snaps)); answered() })
			subscribed := h.subscribe()
			background(t, h.relay(h.db, "one").Run)
			h.notify("ONCRMLEADADD", ids...)
			cfg := h.config("one")
			cfg.Mirror.Leads = mirror
			h.work(cfg)
			t.Cleanup(release) // owners end only when nothing holds them
			<-begun

			for round := range 25 {
				for _, id := range ids {
					h.edit(id, "edited "+strconv.Itoa(round))
				}
				h.notify("ONCRMLEADUPDATE", ids...)
			}
			gone, added := ids[:5], h.portal.Add(5)
			for _, id := range gone {
				if err := h.portal.Delete(id); err != nil {
					t.Fatal(err)
				}
			}
			h.notify("ONCRMLEADDELETE", gone...)
			h.notify("ONCRMLEADADD", added...)
			if n := h.script.reads.Load(); n != 1 {
				t.Errorf("%d reads while the first one waits", n)
			}
			release()

			h.until("all is written and announced", func() bool {
				return h.allHandled() && h.outboxEmpty() && !slices.ContainsFunc(gone, func(id int64) bool { return !h.deleted(id) })
			})
			h.wantEqual()
			for _, id := range slices.Concat(ids, added) {
				row, ok := h.row(id)
				if !ok {
					t.Errorf("lead %d has no row", id)
				}
				h.until("the last revision is on the topic", func() bool { return subscribed.revision(id) == row.Revision })
			}
			subscribed.mu.Lock()
			defer subscribed.mu.Unlock()
			if len(subscribed.wrong) > 0 {
				t.Errorf("the topic went back: %+v", subscribed.wrong)
			}
			if n := h.script.reads.Load(); n > 4 { // the first, and one for all that waited; it may take some of them alone
				t.Errorf("%d reads, want at most 4", n)
			}
			if most := inHand.most.Load(); most > int64(len(ids)+len(added)) {
				t.Errorf("%d leads were in hand at once, of %d", most, len(ids)+len(added))
			}
		})
	}
}
