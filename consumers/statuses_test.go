package consumers_test

import (
	"testing"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// Subscribers see by a status's time that leadsync is alive, so one that does not change is
// repeated, also after the clock was set back.
func TestUnchangedStatusIsRepeated(t *testing.T) {
	bus := eventstest.Bus(t)
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	s := &consumers.Statuses{Bus: bus, Now: func() time.Time { return now }}
	stream, err := bus.Stream(t.Context(), events.StreamStatus)
	if err != nil {
		t.Fatal(err)
	}
	current := leads.MirrorStatus{MemberID: "a223c6b3710f85df22e9377d6c4f7553", State: leads.MirrorCurrent, Since: now}
	blind := current
	blind.State, blind.Reason = leads.MirrorBlind, "the plan has ended"
	failing := current
	failing.Failing = 1
	for _, c := range []struct {
		name   string
		after  time.Duration
		status leads.MirrorStatus
		last   uint64 // of the stream's messages; it keeps only the last
	}{
		{"the first", 0, current, 1},
		{"nothing changed", 59 * time.Second, current, 1},
		{"a minute after the last", time.Second, current, 2},
		{"a change is told at once", time.Second, blind, 3},
		{"and the change back", time.Second, current, 4},
		{"the clock was set back", -time.Hour, current, 5},
		{"a lead cannot be stored", time.Second, failing, 6},
	} {
		now = now.Add(c.after)
		if err := s.PublishOnce(t.Context(), c.status); err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.State.LastSeq != c.last {
			t.Errorf("%s: %d messages, want %d", c.name, info.State.LastSeq, c.last)
		}
	}
}
