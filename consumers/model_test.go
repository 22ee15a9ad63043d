package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/owner"
)

// errKilled is what everything returns in a process that was killed.
var errKilled = errors.New("killed")

// crashPoints kills a process at one of its steps: each call of something outside is one step
// before it takes effect and one after.
type crashPoints struct {
	mu    sync.Mutex
	steps int // left; below zero the process is never killed
	dead  bool
	die   context.CancelFunc
}

func (c *crashPoints) step() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps == 0 && !c.dead {
		c.dead = true
		c.die()
	}
	c.steps--
	if c.dead {
		return errKilled
	}
	return nil
}

// withCrashPoints calls something outside for a process that may be killed before and after
// the call.
func withCrashPoints[T any](c *crashPoints, do func() (T, error)) (result T, err error) {
	var nothing T
	if err := c.step(); err != nil {
		return nothing, err
	}
	if result, err = do(); err != nil {
		return nothing, err
	}
	if err := c.step(); err != nil {
		return nothing, err
	}
	return result, nil
}

type repository interface {
	consumers.Mirror
	consumers.Outbox
}

// crashingMirror is the mirror of such a process.
type crashingMirror struct {
	repository

	crash *crashPoints
}

func (m crashingMirror) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	return withCrashPoints(m.crash, func() ([]leads.Outcome, error) { return m.repository.Apply(ctx, snaps) })
}

func (m crashingMirror) NoteCallbacks(ctx context.Context, memberID string, callbacks []leads.LastCallback) error {
	_, err := withCrashPoints(m.crash, func() (int, error) { return 0, m.repository.NoteCallbacks(ctx, memberID, callbacks) })
	return err
}

func (m crashingMirror) Outbox(ctx context.Context, limit int) ([]leads.Announcement, error) {
	return withCrashPoints(m.crash, func() ([]leads.Announcement, error) { return m.repository.Outbox(ctx, limit) })
}

func (m crashingMirror) DropOutbox(ctx context.Context, ids []int64) error {
	_, err := withCrashPoints(m.crash, func() (int, error) { return 0, m.repository.DropOutbox(ctx, ids) })
	return err
}

// crashingReader is the portal of such a process.
type crashingReader struct {
	next  consumers.Reader
	crash *crashPoints
}

func (r crashingReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return withCrashPoints(r.crash, func() ([]leads.Snapshot, error) { return r.next.Leads(ctx, ids) })
}

// process runs owners and the relay until they are killed at a step, or stopped. Below zero
// they are never killed.
func (h *harness) process(steps int) (stop func()) {
	ctx, die := context.WithCancel(h.t.Context())
	crash := &crashPoints{steps: steps, die: die}
	mirror := crashingMirror{h.db, crash}
	cfg := h.config(fmt.Sprintf("process of %d steps", steps))
	cfg.Mirror.Leads = mirror
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader { return crashingReader{next, crash} }
	relay := h.relay(mirror, cfg.Holder)
	var group errgroup.Group
	group.Go(func() error { return owner.NewOwners(cfg).Run(ctx) })
	group.Go(func() error { return relay.Run(ctx) })
	if steps < 0 {
		return func() { die(); _ = group.Wait() }
	}
	return func() {
		select { // it dies by itself, or has nothing left to do
		case <-ctx.Done():
		case <-time.After(700 * time.Millisecond):
		}
		die()
		_ = group.Wait() // a killed process reports nothing
	}
}

// Whatever changes on the portal, whichever callbacks are lost, repeated or late, and
// wherever the process is killed: after the last notice of each lead its row is correct, and
// the revisions that subscribers receive rise up to the row's.
func TestMirrorAgainstItsModel(t *testing.T) {
	h := open(t, 6)
	s := h.subscribe()
	h.notify("ONCRMLEADADD", h.ids()...)
	rapid.Check(t, func(rt *rapid.T) { h.history(rt) })
	h.until("the subscriber has received every change", func() bool { return h.receivedAll(s) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", s.wrong)
	}
}

// receivedAll tells whether the subscriber is at the last revision of every row.
func (h *harness) receivedAll(s *subscriber) bool {
	rows, err := h.db.Range(h.t.Context(), h.member(), 0, leads.MaxID, 10_000)
	if err != nil {
		h.t.Fatal(err)
	}
	return !slices.ContainsFunc(rows, func(row leads.Row) bool { return s.revision(row.LeadID) != row.Revision })
}

type pendingNotice struct {
	event string
	id    int64
}

// history draws changes of the portal and how their callbacks arrive.
func (h *harness) history(rt *rapid.T) {
	var queue []pendingNotice
	touched := map[int64]string{}
	for range rapid.IntRange(1, 12).Draw(rt, "changes") {
		n := h.changePortal(rt)
		touched[n.id] = n.event
		queue = append(queue, n)
		switch rapid.IntRange(0, 5).Draw(rt, "callback") {
		case 0: // lost
			queue = queue[:len(queue)-1]
		case 1:
			queue = append(queue, n)
		case 2:
			queue = slices.Insert(queue, rapid.IntRange(0, len(queue)-1).Draw(rt, "late"), n)
		}
	}
	for id, event := range touched { // the last notice comes in the end
		queue = append(queue, pendingNotice{event, id})
	}
	for processes := rapid.IntRange(0, 3).Draw(rt, "processes"); processes > 0 && len(queue) > 0; processes-- {
		part := rapid.IntRange(1, len(queue)).Draw(rt, "part")
		for _, n := range queue[:part] {
			h.notify(n.event, n.id)
		}
		queue = queue[part:]
		h.process(rapid.IntRange(0, 14).Draw(rt, "steps"))()
	}
	for _, n := range queue {
		h.notify(n.event, n.id)
	}
	stop := h.process(-1)
	defer stop()
	h.until("every notice is handled", func() bool { return h.allHandled() && h.outboxEmpty() && h.mirrorEqual() })
}

// changePortal changes the portal.
func (h *harness) changePortal(rt *rapid.T) pendingNotice {
	ids := h.ids()
	switch n := rapid.IntRange(0, 9).Draw(rt, "change"); {
	case n < 2 || len(ids) == 0:
		return pendingNotice{"ONCRMLEADADD", h.portal.Add(1)[0]}
	case n < 4:
		id := rapid.SampledFrom(ids).Draw(rt, "deleted")
		if err := h.portal.Delete(id); err != nil {
			h.t.Fatal(err)
		}
		return pendingNotice{"ONCRMLEADDELETE", id}
	default:
		id := rapid.SampledFrom(ids).Draw(rt, "edited")
		h.edit(id, rapid.StringMatching("[a-z]{1,3}").Draw(rt, "title"))
		return pendingNotice{"ONCRMLEADUPDATE", id}
	}
}

// mirrorEqual tells whether mirror and portal have the same leads with the same fields.
func (h *harness) mirrorEqual() bool {
	there := map[int64]bool{}
	for id, raw := range h.portal.Leads() {
		there[id] = true
		lead, err := leads.Parse(raw)
		if err != nil {
			h.t.Fatal(err)
		}
		row, ok := h.row(id)
		if !ok || row.Deleted || len(row.Differences(&lead)) > 0 {
			return false
		}
	}
	rows, err := h.db.Range(h.t.Context(), h.member(), 0, leads.MaxID, 10_000)
	if err != nil {
		h.t.Fatal(err)
	}
	return !slices.ContainsFunc(rows, func(row leads.Row) bool { return !row.Deleted && !there[row.LeadID] })
}
