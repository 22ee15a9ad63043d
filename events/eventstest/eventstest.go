// Package eventstest gives tests a NATS server of their own with the streams set up. It
// knows nothing of what travels on them.
package eventstest

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"leadsync/events"
	"leadsync/events/broker"
)

// Bus is connected to an embedded server of the test's own.
func Bus(tb testing.TB) *events.Bus {
	tb.Helper()
	_, bus := Start(tb, tb.TempDir())
	return bus
}

// Start runs a server on a store that may have been another's, and sets the streams up.
// Both end with the test.
func Start(tb testing.TB, dir string) (*broker.Broker, *events.Bus) {
	tb.Helper()
	server, err := broker.Start(broker.Config{Dir: dir, ServiceToken: "service"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	bus := Connect(tb, func() (*nats.Conn, error) { return server.Connect(events.Options()...) })
	Insist(tb, func(ctx context.Context) error { return events.Setup(ctx, bus, 1) })
	return server, bus
}

// Connect opens a bus on a connection that ends with the test.
func Connect(tb testing.TB, connect func() (*nats.Conn, error)) *events.Bus {
	tb.Helper()
	nc, err := connect()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	bus, err := events.Open(nc, "")
	if err != nil {
		tb.Fatal(err)
	}
	return bus
}

// Goroutines tells goleak which goroutines nats-server leaves for a moment after it has shut
// down: it does not wait for them.
func Goroutines() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
	}
}
