package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads/leadstest"
)

// A NATS server that comes back without its data, or from which somebody removed a stream, has it again
// soon. One look that misses streams is not believed: the server may be starting.
func TestLostStreamsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"KV_LEADSYNC_LEASES", "BITRIX24_NOTICES", "LEADS", "LEADSYNC_STATUS"} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			bus := eventstest.Bus(t)
			var lost []time.Time
			clock := leadstest.NewClock(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))
			refused := errors.New("refused")
			k := &streamKeeper{
				bus: bus, now: clock.Now, log: leadstest.Silent(), lost: func(_ context.Context, since time.Time) { lost = append(lost, since) },
				setUp: func(ctx context.Context) error {
					if refused != nil {
						return refused
					}
					return events.Setup(ctx, bus, 1)
				},
			}
			k.look(t.Context())
			was := clock.Now()
			if err := bus.JetStream().DeleteStream(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Minute)
			k.look(t.Context())
			if err := events.Look(t.Context(), bus); !errors.Is(err, events.ErrNoStreams) {
				t.Fatalf("after one look: %v", err)
			}
			k.look(t.Context())
			if len(lost) != 0 {
				t.Error("told though it was refused")
			}
			refused = nil
			k.look(t.Context())
			if err := events.Look(t.Context(), bus); err != nil || !slices.Equal(lost, []time.Time{was}) {
				t.Errorf("after more looks: %v; lost since %v, want %v", err, lost, was)
			}
			k.look(t.Context())
			k.look(t.Context())
			if len(lost) != 1 {
				t.Errorf("told %d times", len(lost))
			}
		})
	}
}

// Where the server makes streams and its answer comes too late, callbacks are gone all the same.
func TestLostStreamsAreToldThoughTheAnswerWasLate(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	told := 0
	k := &streamKeeper{
		bus: bus, now: time.Now, log: leadstest.Silent(), lost: func(context.Context, time.Time) { told++ },
		setUp: func(ctx context.Context) error {
			return errors.Join(events.Setup(ctx, bus, 1), context.DeadlineExceeded)
		},
	}
	if err := bus.JetStream().DeleteStream(t.Context(), "BITRIX24_NOTICES"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		k.look(t.Context())
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}
