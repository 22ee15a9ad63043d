package events_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
)

// BenchmarkStoreEntry compares callbacks of many connections with bare publishing on the same
// stream, in turn, on a server that syncs everything. Compare the ratios, not the times.
func BenchmarkStoreEntry(b *testing.B) {
	for _, callers := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("%d at a time", callers), func(b *testing.B) {
			for b.Loop() {
				bus := eventstest.Bus(b)
				var bare, ours time.Duration
				var n atomic.Int64
				for range 6 {
					bare += atOnce(b, callers, func(ctx context.Context) error {
						e := entry(int(n.Add(1)))
						_, err := bus.JetStream().Publish(ctx, bus.Subject(e.Subject), e.Data, jetstream.WithRetryAttempts(0))
						return err
					})
					ours += atOnce(b, callers, func(ctx context.Context) error { return events.PublishEntry(ctx, bus, entry(int(n.Add(1)))) })
				}
				b.ReportMetric(6*ingested/bare.Seconds(), "bare/s")
				b.ReportMetric(6*ingested/ours.Seconds(), "ours/s")
				b.ReportMetric(bare.Seconds()/ours.Seconds(), "x-bare")
			}
		})
	}
}

// ingested is how many entries each round has.
const ingested = 1500

// atOnce does something that often, by so many callers at a time.
func atOnce(b *testing.B, callers int, do func(ctx context.Context) error) time.Duration {
	b.Helper()
	begun := time.Now()
	var left atomic.Int64
	left.Store(ingested)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(b.Context()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(begun)
}
