package events_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/events"
	"leadsync/events/broker"
)

// mouth is a stream that does what it is told.
type mouth struct {
	mu    sync.Mutex
	do    func(context.Context) error
	heard []events.Entry
	tries atomic.Int64
}

func (m *mouth) publish(ctx context.Context, e events.Entry) error {
	m.tries.Add(1)
	m.mu.Lock()
	do := m.do
	m.mu.Unlock()
	if do != nil {
		if err := do(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = append(m.heard, e)
	return nil
}

func (m *mouth) set(do func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.do = do
}

func silence(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func refuse(context.Context) error { return errors.New("no servers") }

func intake(tb testing.TB, m *mouth, limit int64) *events.Intake {
	tb.Helper()
	return &events.Intake{
		Publish: m.publish, Now: time.Now, Log: silent(),
		Verified:   openSpool(tb, events.SpoolConfig{Dir: tb.TempDir(), Limit: limit}),
		Unverified: openSpool(tb, events.SpoolConfig{Dir: tb.TempDir(), Limit: limit}),
	}
}

func TestStreamThatAnswersNeedsNoSpool(t *testing.T) {
	m := &mouth{}
	i := intake(t, m, 0)
	if err := i.Take(t.Context(), letter(1)); err != nil {
		t.Fatal(err)
	}
	if i.Waiting().Entries != 0 || len(m.heard) != 1 || i.Published.Load() != 1 {
		t.Errorf("%+v, heard %d", i.Waiting(), len(m.heard))
	}
}

func TestRefusalGoesIntoTheSpoolAtOnce(t *testing.T) {
	m := &mouth{do: refuse}
	i := intake(t, m, 0)
	for n := range 3 {
		if err := i.Take(t.Context(), letter(n)); err != nil {
			t.Fatal(err)
		}
	}
	if i.Waiting().Entries != 3 || m.tries.Load() != 3 || i.Spooled.Load() != 3 {
		t.Errorf("%+v, %d tries", i.Waiting(), m.tries.Load())
	}
}

// After a time-out the spool is used directly for five seconds; then one callback, and
// no other, tries again.
func TestStreamThatIsSilentIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mouth{do: silence}
		i := intake(t, m, 0)
		take := func(n int) time.Duration {
			begun := time.Now()
			if err := i.Take(t.Context(), letter(n)); err != nil {
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
		if len(m.heard) != 2 {
			t.Errorf("%d heard when it is well again", len(m.heard))
		}
	})
}

func TestNeitherStreamNorSpoolIsAnError(t *testing.T) {
	m := &mouth{do: refuse}
	i := intake(t, m, 1)
	if err := i.Take(t.Context(), letter(1)); !errors.Is(err, events.ErrSpoolFull) {
		t.Fatalf("%v", err)
	}
	if !i.Full() || i.Lost.Load() != 1 {
		t.Error("no alarm")
	}
	m.set(nil)
	if err := i.Take(t.Context(), letter(1)); err != nil {
		t.Error(err)
	}
}

func TestFullSpoolIsNoReasonNotToTryTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mouth{do: silence}
		i := intake(t, m, 1)
		if err := i.Take(t.Context(), letter(1)); err == nil {
			t.Fatal("stored nowhere, and no error")
		}
		m.set(nil)
		if err := i.Take(t.Context(), letter(2)); err != nil {
			t.Error(err)
		}
	})
}

func TestUnverifiedEntriesWaitUntilTheyCanBeVerified(t *testing.T) {
	m := &mouth{}
	i := intake(t, m, 0)
	for n, hash := range []string{1: "genuine", 2: "forged", 3: "genuine"} {
		if n == 0 {
			continue
		}
		if err := i.Take(t.Context(), letter(n).Unverified(member, hash)); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Take(t.Context(), letter(4)); err != nil { // not held up by them
		t.Fatal(err)
	}
	if i.Waiting().Entries != 3 || len(m.heard) != 1 {
		t.Fatalf("%+v, %d heard", i.Waiting(), len(m.heard))
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
	for _, e := range m.heard {
		got = append(got, e.Subject)
	}
	if len(got) != 3 || got[1] != letter(1).Subject || got[2] != letter(3).Subject {
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
	js := onto(t, func() (*nats.Conn, error) { return events.Connect("nats://"+address, "service") })
	if err := events.Setup(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	i := intake(t, &mouth{}, 0)
	i.Publish = func(ctx context.Context, e events.Entry) error { return events.PublishEntry(ctx, js, e) }
	take := func(from, to int) {
		for n := from; n <= to; n++ {
			if err := i.Take(t.Context(), letter(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	take(1, 5)
	server.Close()
	until(t, "the connection is known to be gone", func() bool { return !js.Conn().IsConnected() })
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
	if n := messages(t, js, events.StreamNotices); n != 10 {
		t.Errorf("%d notices, want 10", n)
	}
}
