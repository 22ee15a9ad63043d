// Package eventstest gives tests a NATS server of their own with the streams set up. It
// knows nothing of what travels on them.
package eventstest

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/events"
	"leadsync/events/broker"
)

// JetStream is connected to an embedded server of the test's own.
func JetStream(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	_, js := Start(tb, tb.TempDir())
	return js
}

// Start runs a server on a store that may have been another's, and sets the streams up.
// Both end with the test.
func Start(tb testing.TB, dir string) (*broker.Broker, jetstream.JetStream) {
	tb.Helper()
	server, err := broker.Start(broker.Config{Dir: dir, ServiceToken: "service"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	js := Connect(tb, func() (*nats.Conn, error) { return server.Connect(events.Options()...) })
	if err := events.Setup(tb.Context(), js, 1); err != nil {
		tb.Fatal(err)
	}
	return server, js
}

// Connect opens JetStream on a connection that ends with the test.
func Connect(tb testing.TB, connect func() (*nats.Conn, error)) jetstream.JetStream {
	tb.Helper()
	nc, err := connect()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := events.JetStream(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// Goroutines tells goleak which goroutines nats-server leaves for a moment after it has shut
// down: it does not wait for them.
func Goroutines() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
	}
}
