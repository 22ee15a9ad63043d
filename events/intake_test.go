package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/events/eventstest"
	"leadsync/events/spool"
	"leadsync/journal"
	"leadsync/leads/leadstest"
)

// fakeStream does what the test says.
type fakeStream struct {
	mu        sync.Mutex
	do        func(context.Context) error
	published []events.Entry
	tries     atomic.Int64
}

func (m *fakeStream) publish(ctx context.Context, e events.Entry) (uint64, error) {
	m.tries.Add(1)
	m.mu.Lock()
	do := m.do
	m.mu.Unlock()
	if do != nil {
		if err := do(ctx); err != nil {
			return 0, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published = append(m.published, e)
	return uint64(len(m.published)), nil
}

func (m *fakeStream) set(do func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.do = do
}

func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func refuse(context.Context) error { return errors.New("no servers") }

func openSpool(tb testing.TB, limit int64) *spool.Spool {
	tb.Helper()
	s, err := spool.Open(spool.Config{Dir: tb.TempDir(), Limit: limit, TakenAt: events.EntryTime, Log: leadstest.Silent()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func entry(n int) events.Entry {
	return events.Entry{
		Subject: fmt.Sprintf("bitrix24.notices.%s.%d", member, n), Data: json.RawMessage(fmt.Sprintf(`{"ts":%d}`, n)),
		At: time.Date(2026, 11, 23, 10, 0, n%60, 0, time.UTC),
	}
}

func intake(tb testing.TB, m *fakeStream, limit int64) *events.Intake {
	tb.Helper()
	return &events.Intake{
		Publish: m.publish, Now: time.Now, Log: leadstest.Silent(),
		Verified:   openSpool(tb, limit),
		Unverified: openSpool(tb, limit),
	}
}

func TestStreamThatAnswersNeedsNoSpool(t *testing.T) {
	m := &fakeStream{}
	i := intake(t, m, 0)
	if err := i.Take(t.Context(), entry(1)); err != nil {
		t.Fatal(err)
	}
	if i.Waiting().Entries != 0 || len(m.published) != 1 || i.Published.Load() != 1 {
		t.Errorf("%+v, published %d", i.Waiting(), len(m.published))
	}
}

func TestRefusedEntryGoesIntoTheSpool(t *testing.T) {
	m := &fakeStream{do: refuse}
	i := intake(t, m, 0)
	for n := range 3 {
		if err := i.Take(t.Context(), entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	if i.Waiting().Entries != 3 || m.tries.Load() != 3 || i.Spooled.Load() != 3 {
		t.Errorf("%+v, %d tries", i.Waiting(), m.tries.Load())
	}
	if refusal := i.Refusal(); refusal != nil {
		t.Errorf("a stream that could not be asked has refused: %v", refusal)
	}
	m.set(func(context.Context) error { return fmt.Errorf("publish: %w", &jetstream.APIError{ErrorCode: 10054}) })
	if err := i.Take(t.Context(), entry(3)); err != nil || i.Refusal() == nil || i.Avoiding() {
		t.Errorf("%v, the refusal is %v", err, i.Refusal())
	}
	m.set(nil)
	if err := i.Take(t.Context(), entry(4)); err != nil || i.Refusal() != nil {
		t.Errorf("when it is taken again: %v, the refusal is %v", err, i.Refusal())
	}
}

// After a time-out the spool is used directly for five seconds; then one callback, and
// no other, tries again.
func TestSilentStreamIsAvoidedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeStream{do: hang}
		i := intake(t, m, 0)
		take := func(n int) time.Duration {
			begun := time.Now()
			if err := i.Take(t.Context(), entry(n)); err != nil {
				t.Error(err)
			}
			return time.Since(begun)
		}
		if d := take(1); d != time.Second {
			t.Errorf("the first waited %s", d)
		}
		for n := range 10 {
			if d := take(n); d != 0 {
				t.Errorf("one after it waited %s", d)
			}
		}
		if m.tries.Load() != 1 {
			t.Errorf("%d tries", m.tries.Load())
		}
		time.Sleep(5 * time.Second)
		var group sync.WaitGroup
		for n := range 10 {
			group.Go(func() { take(n) })
		}
		group.Wait()
		if m.tries.Load() != 2 {
			t.Errorf("%d tries after five seconds, want one more", m.tries.Load())
		}
		m.set(nil)
		time.Sleep(5 * time.Second)
		take(1)
		take(2)
		if len(m.published) != 2 {
			t.Errorf("%d published when it answers again", len(m.published))
		}
	})
}

func TestNeitherStreamNorSpoolIsAnError(t *testing.T) {
	m := &fakeStream{do: refuse}
	i := intake(t, m, 1)
	if err := i.Take(t.Context(), entry(1)); !errors.Is(err, spool.ErrFull) {
		t.Fatalf("%v", err)
	}
	if !i.Full() || i.Lost.Load() != 1 {
		t.Error("no alarm")
	}
	m.set(nil)
	if err := i.Take(t.Context(), entry(1)); err != nil {
		t.Error(err)
	}
}

func TestStreamIsTriedWhenTheSpoolIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeStream{do: hang}
		i := intake(t, m, 1)
		if err := i.Take(t.Context(), entry(1)); err == nil {
			t.Fatal("stored nowhere, and no error")
		}
		m.set(nil)
		if err := i.Take(t.Context(), entry(2)); err != nil {
			t.Error(err)
		}
	})
}

func TestUnverifiedEntriesWaitForVerification(t *testing.T) {
	m := &fakeStream{}
	i := intake(t, m, 0)
	for n, hash := range []string{1: "genuine", 2: "forged", 3: "genuine"} {
		if n == 0 {
			continue
		}
		if err := i.Take(t.Context(), entry(n).Unverified(member, hash)); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Take(t.Context(), entry(4)); err != nil { // not held up by them
		t.Fatal(err)
	}
	if i.Waiting().Entries != 3 || len(m.published) != 1 {
		t.Fatalf("%+v, %d published", i.Waiting(), len(m.published))
	}
	ctx, stop := context.WithCancel(t.Context())
	asked := 0
	done := make(chan error, 1)
	go func() {
		done <- i.Run(ctx, func(_ context.Context, e events.Entry) (bool, error) {
			if asked++; asked == 1 {
				return false, errors.New("the database is still down")
			}
			return e.TokenHash == "genuine", nil
		})
	}()
	until(t, "they are verified", func() bool { return i.Waiting().Entries == 0 })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range m.published {
		got = append(got, e.Subject)
	}
	if len(got) != 3 || got[1] != entry(1).Subject || got[2] != entry(3).Subject {
		t.Errorf("published %v", got)
	}
}

// With the broker gone, publishing fails at once and does not wait for its return; when
// it is back, everything arrives.
func TestIntakeOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	start := func(listen string) *broker.Broker {
		server, err := broker.Start(broker.Config{Dir: dir, Listen: listen, ServiceToken: "service"})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	server := start("127.0.0.1:0")
	address := server.URL()[len("nats://"):]
	bus := eventstest.Connect(t, func() (*nats.Conn, error) {
		return events.Connect(events.Server{URL: "nats://" + address, Token: "service"})
	})
	if err := events.Setup(t.Context(), bus, 1); err != nil {
		t.Fatal(err)
	}
	i := intake(t, &fakeStream{}, 0)
	i.Publish = func(ctx context.Context, e events.Entry) (uint64, error) { return events.StoreEntry(ctx, bus, e) }
	take := func(from, to int) {
		for n := from; n <= to; n++ {
			if err := i.Take(t.Context(), entry(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	take(1, 5)
	server.Close()
	until(t, "the connection is known to be gone", func() bool { return !bus.Conn().IsConnected() })
	take(6, 10)
	if i.Waiting().Entries != 5 {
		t.Errorf("%+v", i.Waiting())
	}
	server = start(address)
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- i.Run(ctx, func(context.Context, events.Entry) (bool, error) { return true, nil })
	}()
	until(t, "the spool is empty", func() bool { return i.Waiting().Entries == 0 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := messages(t, bus, events.StreamNotices); n != 10 {
		t.Errorf("%d notices, want 10", n)
	}
}

// An earlier process may have left entries, and a disk anything.
func TestIntakeDropsForeignRecords(t *testing.T) {
	m := &fakeStream{}
	i := intake(t, m, 0)
	for _, payload := range []string{"hello", "{}"} {
		if err := i.Verified.Append(t.Context(), []byte(payload), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if at := events.EntryTime([]byte(payload)); !at.IsZero() {
			t.Errorf("%s was taken at %s", payload, at)
		}
	}
	kept, err := json.Marshal(entry(1))
	if err == nil {
		err = i.Verified.Append(t.Context(), kept, entry(1).At)
	}
	if err != nil || !events.EntryTime(kept).Equal(entry(1).At) {
		t.Fatal(err, events.EntryTime(kept))
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx, nil) }()
	until(t, "the spool is empty", func() bool { return i.Waiting().Entries == 0 })
	stop()
	if err := <-done; err != nil || len(m.published) != 1 {
		t.Errorf("%v, published %v", err, m.published)
	}
}

// Anybody can send callbacks while the database is down: they do not fill the journal.
func TestFloodOfForgeriesLeavesTheJournalAlone(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	i := intake(t, &fakeStream{do: refuse}, 1)
	i.Journal, i.Now = j, func() time.Time { return entry(0).At }
	for range 300 {
		if err := i.Take(t.Context(), entry(1).Unverified(member, "hash")); err == nil {
			t.Fatal("the spool takes it")
		}
	}
	for range 200 {
		if err := i.Take(t.Context(), entry(1)); err == nil {
			t.Fatal("the spool takes it")
		}
	}
	j.Flush()
	r, err := journal.Look(t.Context(), dir, journal.Query{MemberID: member, LeadID: 1})
	if err != nil || len(r.Entries) != 300 {
		t.Errorf("%d entries, %v; want 100 forgeries and 200 verified", len(r.Entries), err)
	}
}

// The journal has what became of each callback.
func TestJournalHasWhatBecameOfCallbacks(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	m := &fakeStream{}
	i := intake(t, m, 0)
	i.Journal = j
	take := func(e events.Entry) {
		t.Helper()
		if err := i.Take(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	take(entry(1))
	m.set(refuse)
	take(entry(1))
	take(entry(1).Unverified(member, "hash"))
	m.set(nil)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.Run(ctx, func(context.Context, events.Entry) (bool, error) { return false, nil }) }()
	until(t, "the spools are empty", func() bool { return i.Waiting().Entries == 0 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	j.Flush()
	r, err := journal.Look(t.Context(), dir, journal.Query{MemberID: member, LeadID: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, e := range r.Entries {
		got[fmt.Sprintf("%d %d %s", e.Kind, e.Sequence, e.Word)]++
	}
	want := map[string]int{
		fmt.Sprintf("%d 1 ", journal.Received): 1, fmt.Sprintf("%d 0 ", journal.Spooled): 1, fmt.Sprintf("%d 0 unverified", journal.Spooled): 1,
		fmt.Sprintf("%d 2 ", journal.Drained): 1, fmt.Sprintf("%d 0 ", journal.Forged): 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
