package events_test

import (
	"testing"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// The oldest notice is that of the portal, and only until it is dealt with.
func TestOldestNotice(t *testing.T) {
	bus := eventstest.Bus(t)
	want := func(what string, sequence uint64) {
		t.Helper()
		oldest, err := events.OldestNotice(t.Context(), bus, member)
		if err != nil || oldest.Sequence != sequence || oldest.StoredAt.IsZero() != (sequence == 0) {
			t.Errorf("%s: the oldest is %+v, want number %d, %v", what, oldest, sequence, err)
		}
	}
	publish(t, bus, events.Notice{Ref: leads.Ref{MemberID: "another", LeadID: 7}})
	want("another portal's", 0)
	publish(t, bus, notice(7, "ONCRMLEADUPDATE"), notice(8, "ONCRMLEADUPDATE"))
	want("two", 2)
	publish(t, bus, notice(7, "ONCRMLEADUPDATE"))
	want("the first was replaced", 3)
	for _, msg := range fetch(t, bus, 2) {
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want("none", 0)
}
