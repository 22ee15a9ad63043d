package events_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/events/eventstest"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/retry"
)

func TestMain(m *testing.M) {
	leadstest.SideBySide(12)
	goleak.VerifyTestMain(m, eventstest.Goroutines()...)
}

const member = "a223c6b3710f85df22e9377d6c4f7553"

func ref(id int64) leads.Ref { return leads.Ref{MemberID: member, LeadID: id} }

func stream(tb testing.TB, bus *events.Bus, name string) jetstream.Stream {
	tb.Helper()
	s, err := bus.Stream(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func messages(tb testing.TB, bus *events.Bus, name string) uint64 {
	tb.Helper()
	info, err := stream(tb, bus, name).Info(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return info.State.Msgs
}

// until polls until done is true.
func until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	within(tb, time.Minute, what, done)
}

func within(tb testing.TB, limit time.Duration, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	defer cancel()
	for !done() {
		if retry.Wait(ctx, 5*time.Millisecond) != nil {
			tb.Fatalf("still waiting: %s", what)
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
