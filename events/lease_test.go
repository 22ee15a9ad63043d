package events_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
)

const bucket = "LEADSYNC_LEASES"

func take(tb testing.TB, bus *events.Bus, holder string) *events.Lease {
	tb.Helper()
	lease, err := events.TakeLease(tb.Context(), bus, "portal-x", holder)
	if err != nil {
		tb.Fatal(err)
	}
	return lease
}

func TestLeaseIsHeldByOneAtATime(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	lease := take(t, bus, "one")
	if _, err := events.TakeLease(t.Context(), bus, "portal-y", "two"); err != nil {
		t.Errorf("another lease: %v", err)
	}
	worked := false
	err := lease.Hold(t.Context(), func(ctx context.Context) error {
		worked = true
		if _, err := events.TakeLease(ctx, bus, "portal-x", "two"); !errors.Is(err, events.ErrLeaseHeld) {
			t.Errorf("a second holder: %v", err)
		}
		return nil
	})
	if err != nil || !worked {
		t.Fatalf("held: %v, worked %v", err, worked)
	}
	take(t, bus, "two") // given back at once, without waiting for its expiry
}

func TestHoldReturnsTheErrorOfWork(t *testing.T) {
	bus := eventstest.Bus(t)
	want := errors.New("ill")
	if err := take(t, bus, "one").Hold(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	err := take(t, bus, "one").Hold(stopped, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) || errors.Is(err, events.ErrLeaseHeld) {
		t.Errorf("a stop passes for a loss: %v", err)
	}
	take(t, bus, "two")
}

func TestLeaseIsRenewedBeyondItsLife(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	lease := take(t, bus, "one")
	err := lease.Hold(t.Context(), func(ctx context.Context) error {
		kv, err := bus.JetStream().KeyValue(ctx, bucket)
		if err != nil {
			return err
		}
		updates, err := kv.Watch(ctx, "portal-x", jetstream.UpdatesOnly())
		if err != nil {
			return err
		}
		defer func() { _ = updates.Stop() }()
		for range 4 { // a third of its life each
			if entry := <-updates.Updates(); entry.Operation() != jetstream.KeyValuePut {
				t.Errorf("the lease went: %s", entry.Operation())
			}
		}
		if _, err := events.TakeLease(ctx, bus, "portal-x", "two"); !errors.Is(err, events.ErrLeaseHeld) {
			t.Errorf("a renewed lease was taken: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The answer came so late that another process may have the lease by now.
func TestExpiredLeaseIsNotHeld(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	lease := take(t, bus, "one")
	until(t, "the lease expires and another has it", func() bool {
		_, err := events.TakeLease(t.Context(), bus, "portal-x", "two")
		return err == nil
	})
	err := lease.Hold(t.Context(), func(context.Context) error {
		t.Error("it works")
		return nil
	})
	if !errors.Is(err, events.ErrLeaseHeld) {
		t.Errorf("%v", err)
	}
	kv, err := bus.JetStream().KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	if entry, err := kv.Get(t.Context(), "portal-x"); err == nil && string(entry.Value()) != "two" {
		t.Errorf("the lease of the other went to %s", entry.Value())
	}
}

func TestLostLeaseEndsTheWork(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	lease := take(t, bus, "one")
	kv, err := bus.JetStream().KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	err = lease.Hold(t.Context(), func(ctx context.Context) error {
		if _, err := kv.Put(ctx, "portal-x", []byte("two")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, events.ErrLeaseHeld) {
		t.Errorf("work ended with %v", err)
	}
	entry, err := kv.Get(t.Context(), "portal-x")
	if err != nil || string(entry.Value()) != "two" {
		t.Errorf("the new holder's lease was given away: %v", err)
	}
}

func TestLeaseOfADeadProcessExpires(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	take(t, bus, "dead")
	until(t, "the lease expires", func() bool {
		_, err := events.TakeLease(t.Context(), bus, "portal-x", "heir")
		if err != nil && !errors.Is(err, events.ErrLeaseHeld) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// The server's clock was set back by an hour: what it should have forgotten in five
// seconds it keeps for an hour. The lease of a dead process is taken all the same.
func TestLeaseIsTakenAfterTheServerClockWasSetBack(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	_, err := bus.JetStream().UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, TTL: time.Hour, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	take(t, bus, "dead")
	heirs := make(chan error, 2)
	for range cap(heirs) {
		go func() {
			_, err := events.TakeLease(t.Context(), bus, "portal-x", "heir")
			heirs <- err
		}()
	}
	one, two := <-heirs, <-heirs
	if (one == nil) == (two == nil) || one != nil && !errors.Is(one, events.ErrLeaseHeld) || two != nil && !errors.Is(two, events.ErrLeaseHeld) {
		t.Errorf("of two heirs one is to have it: %v, %v", one, two)
	}
}

// A connection that is away for a moment does not cost the lease: the renewal is tried again
// while the lease is certainly ours.
func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	lease := take(t, bus, "one")
	lease.FailRenewals(3)
	err := lease.Hold(t.Context(), func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			t.Error("the lease was given up")
		case <-time.After(2 * events.LeaseLife): // without a renewal it would be over
		}
		_, err := events.TakeLease(ctx, bus, "portal-x", "two")
		return err
	})
	if !errors.Is(err, events.ErrLeaseHeld) {
		t.Errorf("a second holder: %v", err)
	}
}
