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

// killer kills a process at one of its steps: each call of something outside is one step
// before it takes effect and one after.
type killer struct {
	mu    sync.Mutex
	steps int // left; below zero it lives for ever
	dead  bool
	die   context.CancelFunc
}

func (f *killer) step() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.steps == 0 && !f.dead {
		f.dead = true
		f.die()
	}
	f.steps--
	if f.dead {
		return errKilled
	}
	return nil
}

// killable is something outside as a process sees it that may be killed at any step.
func killable[T any](f *killer, do func() (T, error)) (result T, err error) {
	var nothing T
	if err := f.step(); err != nil {
		return nothing, err
	}
	if result, err = do(); err != nil {
		return nothing, err
	}
	if err := f.step(); err != nil {
		return nothing, err
	}
	return result, nil
}

type repository interface {
	consumers.Mirror
	consumers.Outbox
}

// killableMirror is the mirror of such a process.
type killableMirror struct {
	repository

	killer *killer
}

func (m killableMirror) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	return killable(m.killer, func() ([]leads.Outcome, error) { return m.repository.Apply(ctx, snaps) })
}

func (m killableMirror) NoteCallbacks(ctx context.Context, memberID string, callbacks []leads.LastCallback) error {
	_, err := killable(m.killer, func() (int, error) { return 0, m.repository.NoteCallbacks(ctx, memberID, callbacks) })
	return err
}

func (m killableMirror) Outbox(ctx context.Context, limit int) ([]leads.Announcement, error) {
	return killable(m.killer, func() ([]leads.Announcement, error) { return m.repository.Outbox(ctx, limit) })
}

func (m killableMirror) DropOutbox(ctx context.Context, ids []int64) error {
	_, err := killable(m.killer, func() (int, error) { return 0, m.repository.DropOutbox(ctx, ids) })
	return err
}

// killableReader is the portal of such a process.
type killableReader struct {
	next   consumers.Reader
	killer *killer
}

func (r killableReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return killable(r.killer, func() ([]leads.Snapshot, error) { return r.next.Leads(ctx, ids) })
}

// process runs owners and the relay until they are killed at a step, or stopped. Below zero
// they are never killed.
func (o *harness) process(steps int) (stop func()) {
	ctx, die := context.WithCancel(o.t.Context())
	f := &killer{steps: steps, die: die}
	mirror := killableMirror{o.db, f}
	cfg := o.config(fmt.Sprintf("process of %d steps", steps))
	cfg.Mirror.Leads = mirror
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader { return killableReader{next, f} }
	relay := o.relay(mirror, cfg.Holder)
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

// Whatever happens on the portal, whichever callbacks are lost, repeated or late, and
// wherever the process is killed: after the last notice of each lead its row is right,
// and what subscribers hear rises and ends there.
func TestMirrorAgainstItsModel(t *testing.T) {
	o := open(t, 6)
	a := o.audience()
	o.tell("ONCRMLEADADD", o.ids()...)
	rapid.Check(t, func(rt *rapid.T) { o.history(rt) })
	o.until("the subscriber has heard it all", func() bool { return o.heardAll(a) })
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", a.wrong)
	}
}

// heardAll tells whether the subscriber is at the last revision of every row.
func (o *harness) heardAll(a *audience) bool {
	rows, err := o.db.Range(o.t.Context(), o.member(), 0, leads.MaxID, 10_000)
	if err != nil {
		o.t.Fatal(err)
	}
	return !slices.ContainsFunc(rows, func(row leads.Row) bool { return a.revision(row.LeadID) != row.Revision })
}

type pastNotice struct {
	event string
	id    int64
}

// history is one stretch of the portal's life, with its callbacks as they come.
func (o *harness) history(rt *rapid.T) {
	var queue []pastNotice
	touched := map[int64]string{}
	for range rapid.IntRange(1, 12).Draw(rt, "changes") {
		n := o.happen(rt)
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
		queue = append(queue, pastNotice{event, id})
	}
	for processes := rapid.IntRange(0, 3).Draw(rt, "processes"); processes > 0 && len(queue) > 0; processes-- {
		part := rapid.IntRange(1, len(queue)).Draw(rt, "part")
		for _, n := range queue[:part] {
			o.tell(n.event, n.id)
		}
		queue = queue[part:]
		o.process(rapid.IntRange(0, 14).Draw(rt, "steps"))()
	}
	for _, n := range queue {
		o.tell(n.event, n.id)
	}
	stop := o.process(-1)
	defer stop()
	o.until("everything is dealt with", func() bool { return o.settled() && o.emptied() && o.right() })
}

// happen changes the portal.
func (o *harness) happen(rt *rapid.T) pastNotice {
	ids := o.ids()
	switch n := rapid.IntRange(0, 9).Draw(rt, "change"); {
	case n < 2 || len(ids) == 0:
		return pastNotice{"ONCRMLEADADD", o.portal.Add(1)[0]}
	case n < 4:
		id := rapid.SampledFrom(ids).Draw(rt, "deleted")
		if err := o.portal.Delete(id); err != nil {
			o.t.Fatal(err)
		}
		return pastNotice{"ONCRMLEADDELETE", id}
	default:
		id := rapid.SampledFrom(ids).Draw(rt, "edited")
		o.edit(id, rapid.StringMatching("[a-z]{1,3}").Draw(rt, "title"))
		return pastNotice{"ONCRMLEADUPDATE", id}
	}
}

// right tells whether the mirror is equal to the portal and the other way round.
func (o *harness) right() bool {
	there := map[int64]bool{}
	for id, raw := range o.portal.Leads() {
		there[id] = true
		lead, err := leads.Parse(raw)
		if err != nil {
			o.t.Fatal(err)
		}
		row, ok := o.held(id)
		if !ok || row.Deleted || len(row.Differences(&lead)) > 0 {
			return false
		}
	}
	rows, err := o.db.Range(o.t.Context(), o.member(), 0, leads.MaxID, 10_000)
	if err != nil {
		o.t.Fatal(err)
	}
	return !slices.ContainsFunc(rows, func(row leads.Row) bool { return !row.Deleted && !there[row.LeadID] })
}
