package owner

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// mirrorTest has a portal whose passes end when the test says so.
type mirrorTest struct {
	t     *testing.T
	clock *leadstest.Clock
	s     *Session
	db    *repo.DB
}

func newMirrorTest(t *testing.T) *mirrorTest {
	t.Helper()
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	s, db := openSilent(t, clock)
	s.cfg.CatchUpEvery = time.Hour
	epoch, err := db.RaiseEpoch(t.Context(), s.memberID(), "a test")
	if err == nil {
		err = db.SavePortal(t.Context(), leads.Portal{MemberID: s.memberID(), Domain: "one.bitrix24.ru", State: leads.PortalActive, UpdatedAt: clock.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.own.Epoch = epoch
	s.beaten.Store(true)
	return &mirrorTest{t, clock, s, db}
}

// completed does the passes that are waiting, and one more.
func (m *mirrorTest) completed(mode leads.RunMode) {
	m.t.Helper()
	if _, err := m.db.RequestRun(m.t.Context(), leads.Run{MemberID: m.s.memberID(), Mode: mode}); err != nil {
		m.t.Fatal(err)
	}
	for {
		run, ok, err := m.db.ClaimRun(m.t.Context(), m.s.memberID())
		if err != nil {
			m.t.Fatal(err)
		}
		if !ok {
			return
		}
		run.State = leads.RunCompleted
		if err := m.db.SaveRun(m.t.Context(), run); err != nil {
			m.t.Fatal(err)
		}
	}
}

// want looks, and compares what reports and subscribers then see.
func (m *mirrorTest) want(when string, state leads.MirrorState, reason string) {
	m.t.Helper()
	m.clock.Advance(time.Second)
	if _, err := m.db.Beat(m.t.Context(), m.s.memberID()); err != nil {
		m.t.Fatal(err)
	}
	if err := m.s.mirror.check(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	if got := m.s.mirror.stored; got.State != state || got.Reason != reason || got.BehindSince.IsZero() == (state == leads.MirrorBehind) {
		m.t.Errorf("%s: %+v, want %s because of %q", when, got, state, reason)
	}
	missed, err := m.db.Missed(m.t.Context(), m.s.memberID())
	if err != nil || missed.State != state {
		m.t.Errorf("%s: stored is %+v, %v", when, missed, err)
	}
}

// What fails makes the mirror blind until passes that began later have compared all.
func TestBlindUntilPassesHaveCompared(t *testing.T) {
	m := newMirrorTest(t)
	refused := fmt.Errorf("%w: the plan has ended", leads.ErrPortalRefuses)
	const words = "notices: portal refuses all calls: the plan has ended"
	m.want("before the import", leads.MirrorBlind, notImported)
	m.completed(leads.RunImport)
	m.want("after the import", leads.MirrorCurrent, "")
	m.s.health.report(PartNotices, refused)
	m.want("the portal refuses", leads.MirrorBlind, words)
	m.completed(leads.RunFull)
	m.want("a pass while it refuses proves nothing", leads.MirrorBlind, words)
	m.s.health.report(PartNotices, nil)
	m.want("it answers again", leads.MirrorBlind, notCompared)
	requested := map[leads.RunMode]bool{}
	runs, err := m.db.Runs(t.Context(), m.s.memberID(), 10)
	must(t, err)
	for _, run := range runs {
		requested[run.Mode] = run.StartedAt.IsZero()
	}
	if !requested[leads.RunChanged] || !requested[leads.RunIDs] {
		t.Errorf("requested are %v", requested)
	}
	m.clock.Advance(time.Second)
	m.completed(leads.RunChanged)
	m.want("all passes have ended", leads.MirrorCurrent, "")
	must(t, m.db.AddIncident(t.Context(), leads.Incident{MemberID: m.s.memberID(), Kind: leads.IncidentSpooled, From: m.clock.Now(), To: m.clock.Now()}))
	m.want("callbacks waited in the spool", leads.MirrorCurrent, "")
	must(t, m.db.AddIncident(t.Context(), leads.Incident{Kind: leads.IncidentRefused, From: m.clock.Now(), To: m.clock.Now()}))
	m.want("callbacks were refused", leads.MirrorBlind, notCompared)
	m.clock.Advance(time.Second)
	m.completed(leads.RunFull)
	m.want("all leads were compared", leads.MirrorCurrent, "")
}

// A new owner knows what an earlier one missed.
func TestNewOwnerKnowsWhatWasMissed(t *testing.T) {
	m := newMirrorTest(t)
	m.completed(leads.RunImport)
	m.s.health.report(PartNotices, leads.ErrUnauthorized)
	m.want("tokens are dead", leads.MirrorBlind, "notices: "+leads.ErrUnauthorized.Error())
	m.s.health.report(PartNotices, nil)
	m.clock.Advance(time.Minute)
	m.completed(leads.RunFull)
	m.clock.Advance(time.Minute)
	m.s.mirror = &mirror{s: m.s}
	m.want("another owner, who does not know how long tokens were dead", leads.MirrorBlind, notCompared)
	m.clock.Advance(proveAgain + time.Minute)
	m.want("the passes are asked for again", leads.MirrorBlind, notCompared)
	m.completed(leads.RunFull)
	m.want("all leads were compared", leads.MirrorCurrent, "")
}

// What waits for more than a minute makes the mirror behind, and only as long as it waits.
func TestBehindWhileChangesWait(t *testing.T) {
	m := newMirrorTest(t)
	m.completed(leads.RunImport)
	m.s.health.setWaiting(m.clock.Now())
	m.want("a notice waits", leads.MirrorCurrent, "")
	m.clock.Advance(time.Minute)
	m.want("for a minute", leads.MirrorBehind, "callbacks wait until leadsync has read their leads")
	m.s.health.setWaiting(time.Time{})
	m.want("it was read", leads.MirrorCurrent, "")
	spooled := m.clock.Now().Add(-time.Hour)
	m.s.cfg.Spooled = func() time.Time { return spooled }
	m.want("the spool is not empty", leads.MirrorBehind, "callbacks wait on disk until NATS and the database take them")
	m.s.cfg.Spooled = nil
	m.s.health.report(PartPasses, errors.New("disk full"))
	m.clock.Advance(PressingAfter)
	m.want("passes fail", leads.MirrorBehind, "passes: disk full")
}

// A portal that no process serves is blind, whatever was stored last.
func TestPortalThatNobodyServesIsBlind(t *testing.T) {
	m := newMirrorTest(t)
	m.completed(leads.RunImport)
	see := func() (states []string) {
		t.Helper()
		statuses, err := m.db.MirrorStatuses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statuses {
			states = append(states, string(s.State)+" "+s.Reason)
		}
		return states
	}
	if diff := cmp.Diff([]string{"blind no leadsync process has served the portal yet"}, see()); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	m.want("imported", leads.MirrorCurrent, "")
	m.clock.Advance(time.Since(m.clock.Now()))
	m.want("by the machine's clock, which the view knows", leads.MirrorCurrent, "")
	if diff := cmp.Diff([]string{"current "}, see()); diff != "" {
		t.Errorf("served (-want +got):\n%s", diff)
	}
	m.clock.Advance(-time.Hour)
	if _, err := m.db.Beat(t.Context(), m.s.memberID()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"blind no leadsync process serves the portal"}, see()); diff != "" {
		t.Errorf("not served for an hour (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The number of the newest incident says when to read them again. It may be seen before its incident
// can be read, and an incident may end after now, by the clock of another process.
func TestIncidentsThatAreReadLate(t *testing.T) {
	m := newMirrorTest(t)
	m.completed(leads.RunImport)
	m.want("after the import", leads.MirrorCurrent, "")
	refused := func(to time.Time) {
		m.t.Helper()
		must(t, m.db.AddIncident(t.Context(), leads.Incident{Kind: leads.IncidentRefused, From: m.clock.Now(), To: to}))
	}
	m.s.due.Store(&leads.Due{Incident: 1})
	m.want("its number is seen", leads.MirrorCurrent, "")
	refused(m.clock.Now())
	m.clock.Advance(2 * incidentsAnyway)
	m.want("it can be read", leads.MirrorBlind, notCompared)
	m.completed(leads.RunFull)
	m.s.passes.ended.Add(1)
	m.want("all leads were compared", leads.MirrorCurrent, "")

	refused(m.clock.Now().Add(3 * time.Second))
	m.s.due.Store(&leads.Due{Incident: 2})
	m.want("it ends after now", leads.MirrorCurrent, "")
	m.clock.Advance(5 * time.Second)
	m.want("it has ended", leads.MirrorBlind, notCompared)
}
