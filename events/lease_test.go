package events_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
)

const bucket = "LEADSYNC_LEASES"

func take(tb testing.TB, js jetstream.JetStream, holder string) *events.Lease {
	tb.Helper()
	lease, err := events.TakeLease(tb.Context(), js, "portal-x", holder)
	if err != nil {
		tb.Fatal(err)
	}
	return lease
}

func TestLeaseIsHeldByOneAtATime(t *testing.T) {
	js := connected(t)
	lease := take(t, js, "one")
	if _, err := events.TakeLease(t.Context(), js, "portal-y", "two"); err != nil {
		t.Errorf("another lease: %v", err)
	}
	worked := false
	err := lease.Hold(t.Context(), func(ctx context.Context) error {
		worked = true
		if _, err := events.TakeLease(ctx, js, "portal-x", "two"); !errors.Is(err, events.ErrLeaseHeld) {
			t.Errorf("a second holder: %v", err)
		}
		return nil
	})
	if err != nil || !worked {
		t.Fatalf("held: %v, worked %v", err, worked)
	}
	take(t, js, "two") // given back at once, without waiting for its expiry
}

func TestHoldPassesOnWhatWorkReturns(t *testing.T) {
	js := connected(t)
	want := errors.New("ill")
	if err := take(t, js, "one").Hold(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	err := take(t, js, "one").Hold(stopped, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) || errors.Is(err, events.ErrLeaseHeld) {
		t.Errorf("a stop passes for a loss: %v", err)
	}
	take(t, js, "two")
}

func TestLeaseIsRenewedBeyondItsLife(t *testing.T) {
	t.Parallel()
	js := connected(t)
	lease := take(t, js, "one")
	err := lease.Hold(t.Context(), func(ctx context.Context) error {
		kv, err := js.KeyValue(ctx, bucket)
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
		if _, err := events.TakeLease(ctx, js, "portal-x", "two"); !errors.Is(err, events.ErrLeaseHeld) {
			t.Errorf("a renewed lease was taken: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLeaseThatWasLostEndsTheWork(t *testing.T) {
	t.Parallel()
	js := connected(t)
	lease := take(t, js, "one")
	kv, err := js.KeyValue(t.Context(), bucket)
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

func TestLeaseOfTheDeadExpires(t *testing.T) {
	t.Parallel()
	js := connected(t)
	take(t, js, "dead")
	until(t, "the lease expires", func() bool {
		_, err := events.TakeLease(t.Context(), js, "portal-x", "heir")
		if err != nil && !errors.Is(err, events.ErrLeaseHeld) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// The server's clock was set back by an hour: what it should have forgotten in five
// seconds it keeps for an hour. The lease of a dead process is taken all the same.
func TestDeadHoldersLeaseIsTakenAfterAClockSetBack(t *testing.T) {
	t.Parallel()
	js := connected(t)
	_, err := js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, TTL: time.Hour, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	take(t, js, "dead")
	heirs := make(chan error, 2)
	for range cap(heirs) {
		go func() {
			_, err := events.TakeLease(t.Context(), js, "portal-x", "heir")
			heirs <- err
		}()
	}
	one, two := <-heirs, <-heirs
	if (one == nil) == (two == nil) || one != nil && !errors.Is(one, events.ErrLeaseHeld) || two != nil && !errors.Is(two, events.ErrLeaseHeld) {
		t.Errorf("of two heirs one is to have it: %v, %v", one, two)
	}
}
