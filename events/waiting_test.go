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

// A stream that was removed is an error, not "nothing waits"; once it is made anew it is asked.
func TestOldestNoticeOfAStreamMadeAnew(t *testing.T) {
	bus := eventstest.Bus(t)
	publish(t, bus, notice(7, "ONCRMLEADUPDATE"))
	oldest := func() (events.WaitingNotice, error) { return events.OldestNotice(t.Context(), bus, member) }
	if found, err := oldest(); err != nil || found.Sequence != 1 {
		t.Fatalf("the oldest is %+v, %v", found, err)
	}
	if err := bus.JetStream().DeleteStream(t.Context(), events.StreamNotices); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if found, err := oldest(); err == nil {
			t.Errorf("of a stream that is gone the oldest is %+v", found)
		}
	}
	if err := events.Setup(t.Context(), bus, 1); err != nil {
		t.Fatal(err)
	}
	if found, err := oldest(); err != nil || found.Sequence != 0 {
		t.Errorf("of a stream made anew the oldest is %+v, %v", found, err)
	}
}
