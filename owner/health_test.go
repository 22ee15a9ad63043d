package owner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
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

// A part that works for a moment only is one problem, which is reported although no failure lasts
// for two minutes.
func TestFlickeringProblemsAreReported(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	began := clock.Now()
	h := &health{now: clock.Now, calm: calmAfter}
	flicker := func() {
		h.report(PartNotices, errors.New("time-out"))
		clock.Advance(50 * time.Second)
		h.report(PartNotices, errors.New("time-out"))
		h.report(PartNotices, nil)
		clock.Advance(20 * time.Second)
		h.report(PartNotices, nil)
	}
	flicker()
	if words := Describe(h.problems(), clock.Now()); words != "" {
		t.Errorf("after a minute: %q", words)
	}
	flicker()
	if words := Describe(h.problems(), clock.Now()); words != "notices: failed from 2026-11-26T10:00:00Z to 2026-11-26T10:02:00Z: time-out" {
		t.Errorf("while it works: %q", words)
	}
	h.report(PartNotices, errors.New("time-out"))
	if words, since := summary(h.problems(), clock.Now()); words != "notices: time-out" || !since.Equal(began) {
		t.Errorf("it fails again: %q since %s", words, since)
	}
	if p := h.problems()[0]; !p.Fails() || !p.Again.Equal(clock.Now()) {
		t.Errorf("it fails again, and has worked meanwhile: %+v", p)
	}
	h.report(PartNotices, nil)
	clock.Advance(calmAfter - time.Second)
	if len(h.problems()) != 1 {
		t.Error("over too early")
	}
	clock.Advance(time.Second)
	h.report(PartNotices, errors.New("time-out")) // nobody has looked meanwhile
	if p := h.problems()[0]; !p.Since.Equal(clock.Now()) {
		t.Errorf("it has worked for a minute, and fails since %s", p.Since)
	}
}

// Reading that works again and is too slow is a problem that goes on.
func TestABacklogAfterAFailureGoesOn(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	h := &health{now: clock.Now, calm: calmAfter}
	h.report(PartNotices, errors.New("time-out"))
	clock.Advance(time.Minute)
	h.setWaiting(clock.Now())
	clock.Advance(PressingAfter)
	h.report(PartNotices, nil)
	if words := Describe(h.problems(), clock.Now()); !strings.HasPrefix(words, "notices: failing since 2026-11-26T10:00:00Z: leads are read more slowly") {
		t.Errorf("%q", words)
	}
}

// What is looked up and not tried is over at once.
func TestStatesEndAtOnce(t *testing.T) {
	h := &health{now: time.Now, calm: calmAfter}
	for _, part := range []Part{PartDeletions, PartLastPass} {
		h.report(part, errHeldBack)
		h.report(part, nil)
	}
	if found := h.problems(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

// An outage goes on when the portal's owner changes, and ends when the new one has seen it work.
func TestOutagesOutliveTheirOwner(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	began := clock.Now()
	first, db := openSilent(t, clock)
	member := first.memberID()
	must(t, db.SavePortal(t.Context(), leads.Portal{MemberID: member, Domain: "one.bitrix24.ru", State: leads.PortalActive}))
	take := func(s *Session, owner string) {
		var err error
		s.own.Epoch, err = db.RaiseEpoch(t.Context(), member, owner)
		must(t, err)
		s.health = &health{now: clock.Now, calm: calmAfter}
		must(t, s.upkeep.inherit(t.Context()))
	}
	stored := func() leads.Standing {
		standing, _, err := db.Standing(t.Context(), member)
		must(t, err)
		return standing
	}
	take(first, "one")
	first.health.report(PartPasses, errors.New("the portal does not answer"))
	must(t, first.upkeep.saveProblem(t.Context())) // a process that ends soon has told the next one, too
	clock.Advance(time.Hour)
	first.health.report(PartPasses, errors.New("the portal does not answer"))
	must(t, first.upkeep.saveProblem(t.Context()))

	second := &Session{cfg: first.cfg, own: first.own}
	second.upkeep = &upkeep{s: second}
	take(second, "two")
	const words = "passes: failing since 2026-11-26T10:00:00Z: the portal does not answer"
	if got := Describe(second.problems(), clock.Now()); got != words {
		t.Errorf("the new owner says %q", got)
	}
	must(t, second.upkeep.saveProblem(t.Context()))
	if s := stored(); s.Owner != "two" || s.Problem != "passes: the portal does not answer" || !s.ProblemSince.Equal(began) {
		t.Errorf("for other processes: %+v", s)
	}
	second.health.report(PartNotices, nil) // another part says nothing of it
	clock.Advance(calmAfter)
	second.health.report(PartPasses, nil)
	clock.Advance(calmAfter)
	must(t, second.upkeep.saveProblem(t.Context()))
	if s := stored(); len(second.problems()) != 0 || s.Problem != "" || s.ProblemParts != "" || !s.ProblemSince.IsZero() {
		t.Errorf("it works: %v, %+v", second.problems(), s)
	}
}

// Another version may know other parts, which here would never work.
func TestUnknownPartsAreNotInherited(t *testing.T) {
	h := &health{now: time.Now}
	h.inherit(`[{"part":"telepathy","since":"2026-11-26T10:00:00Z","reason":"x"},{"part":"passes","since":"2026-11-26T10:00:00Z","reason":"y"}]`)
	if found := h.problems(); len(found) != 1 || found[0].Part != PartPasses {
		t.Errorf("found %v", found)
	}
	h.inherit("{")
}

// While a part works for a moment, nothing waits for it.
func TestFlickeringMirrorIsNotBehindForAllOfIt(t *testing.T) {
	m := newMirrorTest(t)
	m.s.health.calm = calmAfter
	m.completed(leads.RunImport)
	m.s.health.report(PartPasses, errors.New("disk full"))
	m.clock.Advance(time.Hour)
	m.s.health.report(PartPasses, errors.New("disk full"))
	m.want("passes fail", leads.MirrorBehind, "passes: disk full")
	m.s.health.report(PartPasses, nil)
	m.want("they work", leads.MirrorCurrent, "")
	m.s.health.report(PartPasses, errors.New("disk full"))
	m.want("they fail again", leads.MirrorCurrent, "")
	m.clock.Advance(PressingAfter)
	m.want("for two minutes", leads.MirrorBehind, "passes: disk full")
}

// While a portal does not answer, a part that has nothing to ask it does not show that it works, and
// owners that follow each other in less than two minutes report the outage from its beginning.
func TestSilentPortalFailsUntilItIsHeard(t *testing.T) {
	for name, fail := range map[string]func(h *health){
		"nothing is answered": func(h *health) { h.begin(PartOfflineQueue) },
		"calls fail":          func(h *health) { h.report(PartOfflineQueue, fmt.Errorf("drain: %w", &bitrix24.Error{Code: "BROKEN"})) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
			h := &health{now: clock.Now, calm: calmAfter}
			h.hear()
			fail(h)
			for range 5 {
				clock.Advance(PressingAfter / 4)
				next := &health{now: clock.Now, calm: calmAfter}
				next.inherit(written(h.inheritable()))
				h = next
				h.report(PartOfflineQueue, nil) // no drain is due yet
				clock.Advance(PressingAfter / 4)
			}
			if words := Describe(h.problems(), clock.Now()); !strings.HasPrefix(words, "offline queue: failing since 2026-11-26T10:00:00Z: ") {
				t.Errorf("after five minutes and owners: %q", words)
			}
			clock.Advance(time.Second)
			h.hear()
			h.report(PartOfflineQueue, nil)
			clock.Advance(calmAfter)
			if found := h.problems(); len(found) != 0 {
				t.Errorf("a minute after it answered: %v", found)
			}
		})
	}
}
