package events_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const member = "a223c6b3710f85df22e9377d6c4f7553"

func ref(id int64) leads.Ref { return leads.Ref{MemberID: member, LeadID: id} }

// connected is JetStream on an embedded server of the test's own, its streams set up.
func connected(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	_, js := startOn(tb, tb.TempDir())
	return js
}

// startOn is connected to a server whose store may have been another's.
func startOn(tb testing.TB, dir string) (*broker.Broker, jetstream.JetStream) {
	tb.Helper()
	server, err := broker.Start(broker.Config{Dir: dir, ServiceToken: "service"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	js := onto(tb, func() (*nats.Conn, error) { return server.Connect(events.Options()...) })
	if err := events.Setup(tb.Context(), js, 1); err != nil {
		tb.Fatal(err)
	}
	return server, js
}

// onto opens JetStream on a connection that the test closes.
func onto(tb testing.TB, connect func() (*nats.Conn, error)) jetstream.JetStream {
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

func stream(tb testing.TB, js jetstream.JetStream, name string) jetstream.Stream {
	tb.Helper()
	s, err := js.Stream(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func messages(tb testing.TB, js jetstream.JetStream, name string) uint64 {
	tb.Helper()
	info, err := stream(tb, js, name).Info(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return info.State.Msgs
}

// until asks again and again; a test that waits for ever ends with the run's own limit.
func until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			tb.Fatalf("still waiting: %s", what)
		case <-tick.C:
		}
	}
}

func change(id, revision int64, kind leads.ChangeKind) leads.Change {
	c := leads.Change{
		MemberID: member, LeadID: id, Kind: kind, Revision: revision, Fields: []string{"TITLE"},
		Cause: leads.CauseEvent, ReadAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	}
	if kind != leads.RemovedKind {
		c.Lead = json.RawMessage(`{"ID":"1","TITLE":"Anna"}`)
	}
	return c
}
