package consumers_test

import (
	"testing"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

// The oldest notice is that of the portal, and only until it is dealt with.
func TestOldestNotice(t *testing.T) {
	h := open(t, 0)
	want := func(what string, sequence uint64) {
		t.Helper()
		oldest, err := consumers.OldestNotice(t.Context(), h.js, h.member())
		if err != nil || oldest.Sequence != sequence || oldest.StoredAt.IsZero() != (sequence == 0) {
			t.Errorf("%s: the oldest is %+v, want number %d, %v", what, oldest, sequence, err)
		}
	}
	publish := func(ref leads.Ref) {
		t.Helper()
		if err := events.PublishNotice(t.Context(), h.js, events.Notice{Ref: ref}); err != nil {
			t.Fatal(err)
		}
	}
	publish(leads.Ref{MemberID: "another", LeadID: 7})
	want("another portal's", 0)
	publish(h.ref(7))
	publish(h.ref(8))
	want("two", 2)
	publish(h.ref(7))
	want("the first was replaced", 3)
	h.work(h.config("one"))
	h.until("all are read", func() bool { return h.stats.Taken.Load() == 2 })
	want("none", 0)
}
