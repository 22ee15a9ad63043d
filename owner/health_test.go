package owner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

func TestProblemsArePressingInTime(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	h := &health{now: clock.Now}
	h.report(PartPasses, errors.New("the portal shows a web page"))
	if words, _ := summary(h.problems(), clock.Now()); words != "" {
		t.Errorf("at once: %s", words)
	}
	clock.Advance(PressingAfter)
	h.report(PartPasses, errors.New("the portal does not answer"))
	words, since := summary(h.problems(), clock.Now())
	if words != "passes: the portal does not answer" || !since.Equal(clock.Now().Add(-PressingAfter)) {
		t.Errorf("after two minutes: %q since %s", words, since)
	}
	h.report(PartPasses, nil)
	if words, _ := summary(h.problems(), clock.Now()); words != "" {
		t.Errorf("when it works again: %s", words)
	}
}

// What only a person can mend is said at once, and once for all parts that it stops.
func TestRefusalsArePressingAtOnce(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	for _, err := range []error{leads.ErrPortalRefuses, leads.ErrUnauthorized, leads.ErrMisconfigured, errHeldBack} {
		h := &health{now: clock.Now}
		h.report(PartNotices, fmt.Errorf("read: %w", err))
		h.report(PartPasses, fmt.Errorf("read: %w", err))
		words, _ := summary(h.problems(), clock.Now())
		if strings.Count(words, err.Error()) != 1 || !strings.Contains(words, "notices, passes: ") {
			t.Errorf("%v: %q", err, words)
		}
	}
}

// A part that works for two minutes without an answer is a problem although nothing failed.
func TestWorkWithoutAnswerIsPressing(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	began := clock.Now()
	h := &health{now: clock.Now}
	h.begin(PartPasses)
	clock.Advance(PressingAfter - time.Second)
	if found := h.problems(); len(found) != 0 {
		t.Errorf("too early: %v", found)
	}
	clock.Advance(time.Second)
	if words := Describe(h.problems(), clock.Now()); !strings.HasPrefix(words, "passes: failing since 2026-11-26T10:00:00Z: no answer from the portal") {
		t.Errorf("after two minutes: %q", words)
	}
	h.report(PartPasses, errors.New("time-out")) // began two minutes ago
	if words, since := summary(h.problems(), clock.Now()); words != "passes: time-out" || !since.Equal(began) {
		t.Errorf("when it failed: %q since %s", words, since)
	}
	h.report(PartPasses, nil)
	h.begin(PartPasses)
	clock.Advance(time.Minute)
	h.begin(PartPasses) // progress
	clock.Advance(time.Minute)
	h.pause(PartPasses)
	clock.Advance(time.Hour)
	if found := h.problems(); len(found) != 0 {
		t.Errorf("while it makes progress and waits on purpose: %v", found)
	}
	h.begin(PartBeat)
	clock.Advance(PressingAfter)
	if words := Describe(h.problems(), clock.Now()); !strings.Contains(words, "database") {
		t.Errorf("the database does not answer: %q", words)
	}
}

// The oldest notice that waits is a problem after two minutes, with the last error.
func TestOldNoticesArePressing(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	h := &health{now: clock.Now}
	h.setWaiting(clock.Now())
	clock.Advance(PressingAfter - time.Second)
	if found := h.problems(); len(found) != 0 {
		t.Errorf("too early: %v", found)
	}
	clock.Advance(time.Second)
	if words := Describe(h.problems(), clock.Now()); !strings.HasPrefix(words, "notices: failing since 2026-11-26T10:00:00Z: leads are read more slowly") {
		t.Errorf("a backlog: %q", words)
	}
	h.report(PartNotices, errors.New("time-out"))
	if words := Describe(h.problems(), clock.Now()); words != "notices: failing since 2026-11-26T10:00:00Z: time-out" {
		t.Errorf("with an error: %q", words)
	}
	h.setWaiting(time.Time{})
	h.report(PartNotices, nil)
	if found := h.problems(); len(found) != 0 {
		t.Errorf("when none waits: %v", found)
	}
}

// What began before the clock was set back is counted from now on: no problem is younger than
// nothing, and none waits for the old time to come again.
func TestProblemsOutliveAClockThatIsSetBack(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	h := &health{now: clock.Now}
	h.report(PartPasses, errors.New("time-out"))
	h.begin(PartUpkeep)
	clock.Advance(-time.Hour)
	for _, p := range h.problems() {
		if p.Since.After(clock.Now()) {
			t.Errorf("%s fails from %s on, now it is %s", p.Part, p.Since, clock.Now())
		}
	}
	clock.Advance(PressingAfter)
	if words := Describe(h.problems(), clock.Now()); strings.Count(words, "failing since 2026-11-26T09:00:00Z") != 2 {
		t.Errorf("two minutes later: %q", words)
	}
}

// The server's clock says since when a notice waits; where it cannot, the time counts since
// the owner saw the notice first.
func TestNoticesWaitSinceTheyWereSeen(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	u := &upkeep{s: &Session{cfg: &Config{Now: clock.Now}}}
	want := func(what string, sequence uint64, stored time.Duration, age time.Duration) {
		t.Helper()
		since := u.waitingSince(events.WaitingNotice{Sequence: sequence, StoredAt: time.Now().Add(-stored)})
		if got := clock.Now().Sub(since).Round(time.Minute); got != age {
			t.Errorf("%s: it waits for %s, want %s", what, got, age)
		}
	}
	want("stored long ago", 1, 5*time.Minute, 5*time.Minute)
	want("stored ahead of now", 2, -time.Hour, 0)
	clock.Advance(3 * time.Minute)
	want("the same later", 2, -time.Hour, 3*time.Minute)
	clock.Advance(-time.Hour)
	want("our clock was set back", 2, -time.Hour, 0)
	clock.Advance(2 * time.Minute)
	want("two minutes after that", 2, -time.Hour, 2*time.Minute)
	want("another", 3, -time.Hour, 0)
	if since := u.waitingSince(events.WaitingNotice{}); !since.IsZero() {
		t.Errorf("none waits since %s", since)
	}
}
