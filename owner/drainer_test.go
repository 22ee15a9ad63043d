package owner_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/owner"
)

// token is an access token that is never refreshed.
type token leads.Secret

func (k token) Token(context.Context) (leads.Secret, error) { return leads.Secret(k), nil }

func (k token) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

func (k token) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }

// queue is a portal's own queue, what was stored of it, and what is heard of callbacks.
type queue struct {
	portal *emulator.Portal
	queue  *bitrix24.OfflineQueue
	clock  *leadstest.Clock
	stored map[int64]int // how often a notice of a lead was stored
	events map[int64]string
	heard  map[int64]time.Time
	moment func() error // called before each step; nil is nothing
	log    *slog.Logger
}

func openQueue(tb testing.TB, cfg emulator.Config) *queue {
	tb.Helper()
	q := &queue{
		clock: leadstest.NewClock(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)), stored: map[int64]int{}, events: map[int64]string{},
		heard: map[int64]time.Time{}, log: leadstest.Silent(),
	}
	cfg.NoLimits, cfg.Now, cfg.Seed, cfg.AccessLife = true, q.clock.Now, 6, 1000*time.Hour
	p, err := emulator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	p.SetURLs("https://company.bitrix24.com", "https://oauth.bitrix.info")
	q.portal = p
	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: "https://company.bitrix24.com/rest/", Tokens: token(authorize(tb, p)), Now: q.clock.Now, Wait: q.clock.Wait,
		HTTP: &http.Client{Transport: direct{p.Handler()}},
	})
	if _, err := client.Events().BindOffline(tb.Context(), nil, ""); err != nil {
		tb.Fatal(err)
	}
	if q.queue, err = client.Events().OfflineQueue(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return q
}

// direct carries requests to a portal in the same process, without a socket.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, errors.New("connection reset")
		}
	}()
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// authorize logs in and returns an access token.
func authorize(tb testing.TB, p *emulator.Portal) leads.Secret {
	tb.Helper()
	p.Install("", "https://leads.example.com/back")
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://company.bitrix24.com/oauth/authorize/?client_id="+p.Info().ClientID, nil))
	back, err := w.Result().Location()
	if err != nil {
		tb.Fatalf("no redirect: %d", w.Code)
	}
	oauth := &bitrix24.OAuth{
		ClientID: p.Info().ClientID, ClientSecret: leads.Secret(p.Info().ClientSecret), Now: time.Now,
		HTTP: &http.Client{Transport: direct{p.AuthHandler()}},
	}
	pair, err := oauth.Exchange(tb.Context(), back.Query().Get("server_domain"), back.Query().Get("code"))
	if err != nil {
		tb.Fatal(err)
	}
	return pair.AccessToken
}

// drainer is that of a new process.
func (q *queue) drainer() *owner.Drainer {
	return &owner.Drainer{
		Queue: steps{q}, Now: q.clock.Now, Log: q.log,
		Store: func(_ context.Context, events []leads.OfflineEvent) error {
			for _, e := range events {
				if err := q.step(); err != nil {
					return err
				}
				q.stored[e.LeadID]++
				q.events[e.LeadID] = e.Event
			}
			return nil
		},
		Heard: func(_ context.Context, ids []int64) (map[int64]time.Time, error) {
			heard := map[int64]time.Time{}
			for _, id := range ids {
				if at, ok := q.heard[id]; ok {
					heard[id] = at
				}
			}
			return heard, nil
		},
	}
}

func (q *queue) step() error {
	if q.moment == nil {
		return nil
	}
	return q.moment()
}

// errDied is how a process dies: before a request is sent, or before its answer came.
var errDied = errors.New("killed")

// steps are the requests of a drain, before and after each of which it can die.
type steps struct{ *queue }

func died[T any](q *queue, do func() (T, error)) (T, error) {
	var none T
	if err := q.step(); err != nil {
		return none, err
	}
	result, err := do()
	if died := q.step(); died != nil {
		return none, died
	}
	return result, err
}

func (s steps) Next(ctx context.Context, done leads.OfflineBatch) (leads.OfflineBatch, error) {
	return died(s.queue, func() (leads.OfflineBatch, error) { return s.queue.queue.Next(ctx, done) })
}

func (s steps) Reserved(ctx context.Context) ([]string, error) {
	return died(s.queue, func() ([]string, error) { return s.queue.queue.Reserved(ctx) })
}

func (s steps) Again(ctx context.Context, process string) (leads.OfflineBatch, error) {
	return died(s.queue, func() (leads.OfflineBatch, error) { return s.queue.queue.Again(ctx, process) })
}

func (s steps) Clear(ctx context.Context, done leads.OfflineBatch) error {
	_, err := died(s.queue, func() (struct{}, error) { return struct{}{}, s.queue.queue.Clear(ctx, done) })
	return err
}

// Whenever a process dies, between reserving and clearing too, nothing of the queue is
// lost, and in the end nothing is left in it.
func TestInterruptedDrainLosesNothing(t *testing.T) {
	for at, ended := 1, false; !ended; at++ {
		q := openQueue(t, emulator.Config{Leads: 5, Switches: emulator.Switches{FewOffline: true}})
		added := q.portal.Add(60) // two batches
		moments := 0
		q.moment = func() error {
			if moments++; moments == at {
				return errDied
			}
			return nil
		}
		err := q.drainer().Drain(t.Context())
		if ended = err == nil; !ended && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		q.moment = nil
		if err := q.drainer().Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range added {
			if n := q.stored[id]; n < 1 || n > 2 {
				t.Errorf("died at moment %d: lead %d was stored %d times", at, id, n)
			}
		}
		q.empty(t)
	}
}

// empty wants nothing to be in the queue, reserved or not.
func (q *queue) empty(t *testing.T) {
	t.Helper()
	clear(q.stored)
	if err := q.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(q.stored) != 0 {
		t.Errorf("drained again: %v", q.stored)
	}
}

// The same owner goes on after an answer that was lost, as a new one does.
func TestDrainContinuesAfterALostAnswer(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	d := q.drainer()
	if err := d.Drain(t.Context()); err != nil { // nothing was left behind before
		t.Fatal(err)
	}
	added := q.portal.Add(3)
	q.portal.SetFaults(emulator.Faults{Reset: 1})
	if err := d.Drain(t.Context()); err == nil {
		t.Fatal("the connection did not break")
	}
	q.portal.SetFaults(emulator.Faults{})
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]int{added[0]: 1, added[1]: 1, added[2]: 1}, q.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	q.empty(t)
}

// A portal that does not let us clear does not have us read the same for ever.
func TestEventsThatCannotBeClearedAreStoredOnce(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	id := q.portal.Add(1)[0]
	if _, err := q.queue.Next(t.Context(), leads.OfflineBatch{}); err != nil { // somebody reserves and dies
		t.Fatal(err)
	}
	d := q.drainer()
	d.Queue = deaf{steps{q}}
	for range 5 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if q.stored[id] != 1 {
		t.Errorf("stored %d times", q.stored[id])
	}
}

// deaf is a queue that refuses to clear.
type deaf struct{ steps }

func (deaf) Clear(context.Context, leads.OfflineBatch) error { return leads.ErrRefused }

// Nor does one that says yes and forgets nothing.
func TestClearingIsNotRepeatedForEver(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	id := q.portal.Add(1)[0]
	if _, err := q.queue.Next(t.Context(), leads.OfflineBatch{}); err != nil {
		t.Fatal(err)
	}
	d, asked := q.drainer(), forgetful{steps{q}, new(int)}
	d.Queue = asked
	for range 5 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if q.stored[id] != 2 || *asked.clears != 2 {
		t.Errorf("stored %d times, cleared %d times", q.stored[id], *asked.clears)
	}
}

// forgetful says that it has cleared.
type forgetful struct {
	steps

	clears *int
}

func (f forgetful) Clear(context.Context, leads.OfflineBatch) error { *f.clears++; return nil }

// What was changed while nothing of ours was there to be called is no silence.
func TestMissesDuringDowntimeAreNotSilence(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	q.portal.Add(3)
	q.clock.Advance(5 * time.Second)
	d := q.drainer()
	d.Since = q.clock.Now()
	q.clock.Advance(5 * time.Second)
	q.portal.Add(2)
	for range 2 {
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		q.clock.Advance(2 * time.Minute)
	}
	if d.Lost.Load() != 5 || d.Silent.Load() != 2 {
		t.Errorf("%d lost, %d of them in silence", d.Lost.Load(), d.Silent.Load())
	}
}

// A callback that came before our clock was set back proves nothing of what came after.
func TestCallbackFromTheFutureHidesNoEvent(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	id := q.portal.Add(1)[0]
	q.heard[id] = q.clock.Now().Add(time.Hour)
	if err := q.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.stored[id] != 1 {
		t.Errorf("stored %d times", q.stored[id])
	}
}

// What a callback has told of is not read a second time; what none has told of is counted
// as lost, when a callback has had its time.
func TestLostCallbacksAreCounted(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	d := q.drainer()
	added := q.portal.Add(4)
	now := q.clock.Now()
	q.heard[added[0]] = now.Add(5 * time.Second)  // its callback came
	q.heard[added[1]] = now.Add(-5 * time.Second) // one of an earlier change
	q.heard[added[2]] = now.Add(time.Second / 2)  // within the same second: of this change, or of the one before it
	q.clock.Advance(10 * time.Second)
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]int{added[1]: 1, added[2]: 1, added[3]: 1}, q.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if d.Taken.Load() != 3 || d.Lost.Load() != 0 {
		t.Errorf("taken %d, lost %d at once", d.Taken.Load(), d.Lost.Load())
	}
	q.clock.Advance(2 * time.Minute)
	q.heard[added[3]] = now.Add(30 * time.Second) // late, not lost
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Lost.Load() != 1 {
		t.Errorf("%d counted as lost, only lead %d was", d.Lost.Load(), added[1])
	}
}

func TestDeletionOverridesOtherEvents(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	id := q.portal.Add(1)[0]
	if err := q.portal.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	if err := q.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	if err := q.drainer().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.stored[id] != 1 || q.events[id] != leads.EventDeleted {
		t.Errorf("stored %d times, the last as %s", q.stored[id], q.events[id])
	}
}

// In whatever order a batch lists them, as a batch that is read again does.
func TestDeletionOverridesInAnyOrder(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5})
	d := q.drainer()
	d.Queue = &listed{batch: leads.OfflineBatch{Messages: []string{"a", "b"}, Events: []leads.OfflineEvent{
		{LeadID: 1, Event: leads.EventDeleted, At: q.clock.Now()}, {LeadID: 1, Event: "ONCRMLEADUPDATE", At: q.clock.Now().Add(-time.Second)},
	}}}
	if err := d.Drain(t.Context()); err != nil || q.events[1] != leads.EventDeleted {
		t.Errorf("stored as %s, %v", q.events[1], err)
	}
}

// listed is a queue with one batch.
type listed struct {
	owner.Queue

	batch leads.OfflineBatch
}

func (l *listed) Next(context.Context, leads.OfflineBatch) (batch leads.OfflineBatch, err error) {
	batch, l.batch = l.batch, leads.OfflineBatch{}
	return batch, nil
}

func (*listed) Reserved(context.Context) ([]string, error) { return nil, nil }

// A plan without reservation, which the features deny or only the portal's refusal tells:
// each read is stored before the next.
func TestWithoutReservationEachReadIsStoredFirst(t *testing.T) {
	q := openQueue(t, emulator.Config{Leads: 5, Switches: emulator.Switches{NoOfflineExtended: true, FewOffline: true}})
	added := q.portal.Add(120)
	sick := 0
	q.moment = func() error { // the third batch cannot be stored
		if len(q.stored) == 100 {
			if sick++; sick > 2 {
				return errors.New("no disk")
			}
		}
		return nil
	}
	if err := q.drainer().Drain(t.Context()); err == nil {
		t.Fatal("stored without a disk")
	}
	if len(q.stored) != 100 {
		t.Errorf("%d of %d were stored when the disk broke", len(q.stored), len(added))
	}
	if n := q.portal.Stats().Commands["event.offline.get"]; n != 3 {
		t.Errorf("read %d times, want the two that were stored and one", n)
	}
}

// Any edits, deaths of the process, broken connections: every lead that was changed has
// been stored after its last change, and the queue ends empty.
func TestDrainsStoreEveryChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := openQueue(t, emulator.Config{Leads: 10, Switches: emulator.Switches{FewOffline: true}})
		d := q.drainer()
		pending := map[int64]int{} // changed leads, and how often they were stored before
		ids := q.portal.Add(5)
		for _, id := range ids {
			pending[id] = 0
		}
		rt.Repeat(map[string]func(*rapid.T){
			"edit": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "lead")
				if err := q.portal.Edit(id, nil); err != nil {
					rt.Fatal(err)
				}
				pending[id] = q.stored[id]
			},
			"drain": func(rt *rapid.T) {
				at, n := rapid.IntRange(0, 12).Draw(rt, "dies at"), 0
				q.moment = func() error {
					if n++; n == at {
						return errDied
					}
					return nil
				}
				if err := d.Drain(t.Context()); errors.Is(err, errDied) {
					d = q.drainer()
				} else if err != nil && q.portal.Faults().Reset == 0 {
					rt.Fatal(err)
				}
				q.moment = nil
			},
			"reset":   func(*rapid.T) { q.portal.SetFaults(emulator.Faults{Reset: 0.5}) },
			"mended":  func(*rapid.T) { q.portal.SetFaults(emulator.Faults{}) },
			"minutes": func(*rapid.T) { q.clock.Advance(3 * time.Minute) },
		})
		q.portal.SetFaults(emulator.Faults{})
		for range 2 {
			if err := q.drainer().Drain(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		for id, before := range pending {
			if q.stored[id] <= before {
				rt.Fatalf("lead %d was changed and not stored", id)
			}
		}
		q.empty(t)
	})
}
