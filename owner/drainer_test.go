package owner_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/owner"
)

// fixedToken is an access token that is never refreshed.
type fixedToken leads.Secret

func (t fixedToken) Token(context.Context) (leads.Secret, error) { return leads.Secret(t), nil }

func (fixedToken) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

func (fixedToken) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }

// queueHarness is a portal's offline queue, what was stored from it, and which callbacks came.
type queueHarness struct {
	portal     *emulator.Portal
	queue      *bitrix24.OfflineQueue
	clock      *leadstest.Clock
	stored     map[int64]int // how often a notice of a lead was stored
	events     map[int64]string
	heard      map[int64]time.Time
	beforeStep func() error // called before each step; nil is nothing
	log        *slog.Logger
}

func openQueue(tb testing.TB, cfg emulator.Config) *queueHarness {
	tb.Helper()
	h := &queueHarness{
		clock: leadstest.NewClock(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)), stored: map[int64]int{}, events: map[int64]string{},
		heard: map[int64]time.Time{}, log: leadstest.Silent(),
	}
	cfg.NoLimits, cfg.Now, cfg.Seed, cfg.AccessLife = true, h.clock.Now, 6, 1000*time.Hour
	b24 := emulatortest.New(tb, cfg)
	h.portal = b24.Portal
	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", Tokens: fixedToken(b24.Install(tb).AccessToken), Now: h.clock.Now, Wait: h.clock.Wait,
		HTTP: b24.HTTP(),
	})
	if _, err := client.Events().BindOffline(tb.Context(), nil, ""); err != nil {
		tb.Fatal(err)
	}
	offline, err := client.Events().OfflineQueue(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	h.queue = offline
	return h
}

// drainer is the drainer of a new process.
func (h *queueHarness) drainer() *owner.Drainer {
	return &owner.Drainer{
		Queue: crashingQueue{h}, Now: h.clock.Now, Log: h.log,
		Store: func(_ context.Context, events []leads.OfflineEvent) error {
			for _, e := range events {
				if err := h.step(); err != nil {
					return err
				}
				h.stored[e.LeadID]++
				h.events[e.LeadID] = e.Event
			}
			return nil
		},
		Heard: func(_ context.Context, ids []int64) (map[int64]time.Time, error) {
			heard := map[int64]time.Time{}
			for _, id := range ids {
				if at, ok := h.heard[id]; ok {
					heard[id] = at
				}
			}
			return heard, nil
		},
	}
}

func (h *queueHarness) step() error {
	if h.beforeStep == nil {
		return nil
	}
	return h.beforeStep()
}

// errDied ends a process before it sends a request, or before it sees the answer.
var errDied = errors.New("killed")

// crashingQueue is the portal's queue as a process sees it that can die before and after
// each request.
type crashingQueue struct{ h *queueHarness }

func withCrashPoints[T any](h *queueHarness, do func() (T, error)) (T, error) {
	var none T
	if err := h.step(); err != nil {
		return none, err
	}
	result, err := do()
	if died := h.step(); died != nil {
		return none, died
	}
	return result, err
}

func (s crashingQueue) Next(ctx context.Context, done leads.OfflineBatch) (leads.OfflineBatch, error) {
	return withCrashPoints(s.h, func() (leads.OfflineBatch, error) { return s.h.queue.Next(ctx, done) })
}

func (s crashingQueue) Reserved(ctx context.Context) ([]string, error) {
	return withCrashPoints(s.h, func() ([]string, error) { return s.h.queue.Reserved(ctx) })
}

func (s crashingQueue) Again(ctx context.Context, process string) (leads.OfflineBatch, error) {
	return withCrashPoints(s.h, func() (leads.OfflineBatch, error) { return s.h.queue.Again(ctx, process) })
}

func (s crashingQueue) Clear(ctx context.Context, done leads.OfflineBatch) error {
	_, err := withCrashPoints(s.h, func() (struct{}, error) { return struct{}{}, s.h.queue.Clear(ctx, done) })
	return err
}

// A process may die at any step, also between reserving and clearing: no event is lost,
// and the queue ends empty.
func TestInterruptedDrainLosesNothing(t *testing.T) {
	for at, ended := 1, false; !ended; at++ {
		h := openQueue(t, emulator.Config{Leads: 5, Switches: emulator.Switches{FewOffline: true}})
		added := h.portal.Add(60) // two batches
		steps := 0
		h.beforeStep = func() error {
			if steps++; steps == at {
				return errDied
			}
			return nil
		}
		err := h.drainer().Drain(t.Context())
		if ended = err == nil; !ended && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		h.beforeStep = nil
		if err := h.drainer().Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range added {
			if n := h.stored[id]; n < 1 || n > 2 {
				t.Errorf("died at step %d: lead %d was stored %d times", at, id, n)
			}
		}
		h.wantEmpty(t)
	}
}

// wantEmpty fails the test if the queue holds an event, reserved or not.
func (h *queueHarness) wantEmpty(t *testing.T) {
	t.Helper()
	clear(h.stored)
	if err := h.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(h.stored) != 0 {
		t.Errorf("drained again: %v", h.stored)
	}
}

// An owner continues after a lost answer as a new owner does.
func TestDrainContinuesAfterALostAnswer(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	d := h.drainer()
	if err := d.Drain(t.Context()); err != nil { // nothing was left behind before
		t.Fatal(err)
	}
	added := h.portal.Add(3)
	h.portal.SetFaults(emulator.Faults{Reset: 1})
	if err := d.Drain(t.Context()); err == nil {
		t.Fatal("the connection did not break")
	}
	h.portal.SetFaults(emulator.Faults{})
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]int{added[0]: 1, added[1]: 1, added[2]: 1}, h.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	h.wantEmpty(t)
}

// A portal that refuses to clear does not make us store the same event again and again.
func TestEventsThatCannotBeClearedAreStoredOnce(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	id := h.portal.Add(1)[0]
	if _, err := h.queue.Next(t.Context(), leads.OfflineBatch{}); err != nil { // somebody reserves and dies
		t.Fatal(err)
	}
	d := h.drainer()
	d.Queue = refusingQueue{crashingQueue{h}}
	for range 5 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h.stored[id] != 1 {
		t.Errorf("stored %d times", h.stored[id])
	}
}

// refusingQueue is a queue that refuses to clear.
type refusingQueue struct{ crashingQueue }

func (refusingQueue) Clear(context.Context, leads.OfflineBatch) error { return leads.ErrRefused }

// Nor does a portal that says it has cleared and keeps everything.
func TestClearingIsNotRepeatedForEver(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	id := h.portal.Add(1)[0]
	if _, err := h.queue.Next(t.Context(), leads.OfflineBatch{}); err != nil {
		t.Fatal(err)
	}
	d, asked := h.drainer(), forgetfulQueue{crashingQueue{h}, new(int)}
	d.Queue = asked
	for range 5 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h.stored[id] != 2 || *asked.clears != 2 {
		t.Errorf("stored %d times, cleared %d times", h.stored[id], *asked.clears)
	}
}

// forgetfulQueue says that it has cleared, and keeps everything.
type forgetfulQueue struct {
	crashingQueue

	clears *int
}

func (f forgetfulQueue) Clear(context.Context, leads.OfflineBatch) error { *f.clears++; return nil }

// Nobody could be called while the service was down: such changes do not count as silence.
func TestMissesDuringDowntimeAreNotSilence(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	h.portal.Add(3)
	h.clock.Advance(5 * time.Second)
	d := h.drainer()
	d.Since = h.clock.Now()
	h.clock.Advance(5 * time.Second)
	h.portal.Add(2)
	for range 2 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(2 * time.Minute)
	}
	if d.Lost.Load() != 5 || d.Silent.Load() != 2 {
		t.Errorf("%d lost, %d of them in silence", d.Lost.Load(), d.Silent.Load())
	}
}

// A callback that came before our clock was set back proves nothing of what came after.
func TestCallbackFromTheFutureHidesNoEvent(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	id := h.portal.Add(1)[0]
	h.heard[id] = h.clock.Now().Add(time.Hour)
	if err := h.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.stored[id] != 1 {
		t.Errorf("stored %d times", h.stored[id])
	}
}

// Changes that our clock, which was set back, puts into the future are not waited for.
func TestChangesOfTheFutureAreNotWaitedFor(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	h.portal.Add(3)
	d := h.drainer()
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(-24 * time.Hour)
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(48 * time.Hour)
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := d.Lost.Load(); n != 0 {
		t.Errorf("%d callbacks count as lost", n)
	}
}

// An event whose callback came is not read again. An event without one counts as a lost
// callback after the time that a callback may take.
func TestLostCallbacksAreCounted(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	d := h.drainer()
	added := h.portal.Add(4)
	now := h.clock.Now()
	h.heard[added[0]] = now.Add(5 * time.Second)  // its callback came
	h.heard[added[1]] = now.Add(-5 * time.Second) // one of an earlier change
	h.heard[added[2]] = now.Add(time.Second / 2)  // within the same second: of this change, or of the one before it
	h.clock.Advance(10 * time.Second)
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]int{added[1]: 1, added[2]: 1, added[3]: 1}, h.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if d.Taken.Load() != 3 || d.Lost.Load() != 0 {
		t.Errorf("taken %d, lost %d at once", d.Taken.Load(), d.Lost.Load())
	}
	h.clock.Advance(2 * time.Minute)
	h.heard[added[3]] = now.Add(30 * time.Second) // late, not lost
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Lost.Load() != 1 {
		t.Errorf("%d counted as lost, only lead %d was", d.Lost.Load(), added[1])
	}
}

func TestDeletionOverridesOtherEvents(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	id := h.portal.Add(1)[0]
	if err := h.portal.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	if err := h.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	if err := h.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.stored[id] != 1 || h.events[id] != leads.EventDeleted {
		t.Errorf("stored %d times, the last as %s", h.stored[id], h.events[id])
	}
}

// A batch that is read again may list events in any order.
func TestDeletionOverridesInAnyOrder(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5})
	d := h.drainer()
	d.Queue = &oneBatch{batch: leads.OfflineBatch{Messages: []string{"a", "b"}, Events: []leads.OfflineEvent{
		{LeadID: 1, Event: leads.EventDeleted, At: h.clock.Now()}, {LeadID: 1, Event: "ONCRMLEADUPDATE", At: h.clock.Now().Add(-time.Second)},
	}}}
	if err := d.Drain(t.Context()); err != nil || h.events[1] != leads.EventDeleted {
		t.Errorf("stored as %s, %v", h.events[1], err)
	}
}

// oneBatch is a queue with one batch.
type oneBatch struct {
	owner.Queue

	batch leads.OfflineBatch
}

func (b *oneBatch) Next(context.Context, leads.OfflineBatch) (batch leads.OfflineBatch, err error) {
	batch, b.batch = b.batch, leads.OfflineBatch{}
	return batch, nil
}

func (*oneBatch) Reserved(context.Context) ([]string, error) { return nil, nil }

// Some plans have no reservation: the features say so, or only the portal's refusal does.
// Then each read is stored before the next.
func TestWithoutReservationEachReadIsStoredFirst(t *testing.T) {
	h := openQueue(t, emulator.Config{Leads: 5, Switches: emulator.Switches{NoOfflineExtended: true, FewOffline: true}})
	added := h.portal.Add(120)
	failures := 0
	h.beforeStep = func() error { // the third batch cannot be stored
		if len(h.stored) == 100 {
			if failures++; failures > 2 {
				return errors.New("no disk")
			}
		}
		return nil
	}
	if err := h.drainer().Drain(t.Context()); err == nil {
		t.Fatal("stored without a disk")
	}
	if len(h.stored) != 100 {
		t.Errorf("%d of %d were stored when the disk broke", len(h.stored), len(added))
	}
	if n := h.portal.Stats().Commands["event.offline.get"]; n != 3 {
		t.Errorf("read %d times, want the two that were stored and one", n)
	}
}

// Whatever edits, crashes and broken connections happen, every changed lead is stored after
// its last change, and the queue ends empty.
func TestDrainsStoreEveryChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := openQueue(t, emulator.Config{Leads: 10, Switches: emulator.Switches{FewOffline: true}})
		d := h.drainer()
		pending := map[int64]int{} // changed leads, and how often they were stored before
		ids := h.portal.Add(5)
		for _, id := range ids {
			pending[id] = 0
		}
		rt.Repeat(map[string]func(*rapid.T){
			"edit": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "lead")
				if err := h.portal.Edit(id, nil); err != nil {
					rt.Fatal(err)
				}
				pending[id] = h.stored[id]
			},
			"drain": func(rt *rapid.T) {
				at, n := rapid.IntRange(0, 12).Draw(rt, "dies at"), 0
				h.beforeStep = func() error {
					if n++; n == at {
						return errDied
					}
					return nil
				}
				if err := d.Drain(t.Context()); errors.Is(err, errDied) {
					d = h.drainer()
				} else if err != nil && h.portal.Faults().Reset == 0 {
					rt.Fatal(err)
				}
				h.beforeStep = nil
			},
			"reset":   func(*rapid.T) { h.portal.SetFaults(emulator.Faults{Reset: 0.5}) },
			"mended":  func(*rapid.T) { h.portal.SetFaults(emulator.Faults{}) },
			"minutes": func(*rapid.T) { h.clock.Advance(3 * time.Minute) },
		})
		h.portal.SetFaults(emulator.Faults{})
		for range 2 {
			if err := h.drainer().Drain(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		for id, before := range pending {
			if h.stored[id] <= before {
				rt.Fatalf("lead %d was changed and not stored", id)
			}
		}
		h.wantEmpty(t)
	})
}
