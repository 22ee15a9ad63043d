package consumers_test

import (
	"testing"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

// A pass forgets a lead that was given up, with its dead letter; not one that has failed again
// since the pass began, nor one that will be tried again.
func TestGivenUpLeadsAreForgotten(t *testing.T) {
	h := open(t, 0)
	fail := func(id int64, next time.Time) {
		t.Helper()
		if _, err := h.db.CountFailure(t.Context(), h.ref(id), "ONCRMLEADUPDATE", "refused", func(int) time.Time { return next }); err != nil {
			t.Fatal(err)
		}
	}
	const right, failedAgain, waits = 1, 2, 3
	for _, id := range []int64{right, failedAgain} {
		fail(id, time.Time{})
		if err := events.PublishDead(t.Context(), h.js, events.DeadLetter{Notice: events.Notice{Ref: h.ref(id)}, Reason: "refused"}); err != nil {
			t.Fatal(err)
		}
	}
	fail(waits, time.Now().Add(time.Hour))
	p := consumers.Parked{JS: h.js, Failures: h.db}
	parked, err := p.Parked(t.Context(), h.member())
	if err != nil || len(parked) != 2 {
		t.Fatalf("given up: %+v, %v", parked, err)
	}
	fail(failedAgain, time.Time{})
	if err := p.Forget(t.Context(), h.member(), parked); err != nil {
		t.Fatal(err)
	}
	left, err := h.db.Failing(t.Context(), h.member())
	if err != nil || len(left) != 2 || left[0].LeadID == right || left[1].LeadID == right {
		t.Errorf("left: %+v, %v", left, err)
	}
	dead, err := events.DeadLetters(t.Context(), h.js, h.member())
	if err != nil || len(dead) != 1 || dead[0].Ref != (leads.Ref{MemberID: h.member(), LeadID: failedAgain}) {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
}
