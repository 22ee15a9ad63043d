package repotest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// mirrorStatus stores how far a mirror can be trusted, and reads it as reports do. The view
// compares with the server's clock, so the owner beats by the machine's.
func mirrorStatus(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	m.clock.Advance(time.Since(m.clock.Now()))
	now := m.clock.Now().UTC().Truncate(time.Millisecond)
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: now}))
	}
	epoch, err := m.RaiseEpoch(m.ctx, member, "one")
	m.must(err)
	see := func(want ...leads.MirrorStatus) {
		t.Helper()
		got, err := m.MirrorStatuses(m.ctx)
		m.must(err)
		for i := range got {
			got[i].Domain, got[i].At = "", time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	}
	unserved := leads.MirrorStatus{MemberID: other, State: leads.MirrorBlind, Since: now, Reason: "no leadsync process has served the portal yet"}
	never := unserved
	never.MemberID = member
	see(never, unserved)
	status := leads.MirrorStatus{MemberID: member, State: leads.MirrorBehind, Since: now, BehindSince: now.Add(-time.Hour), Reason: "notices: «wait»"}
	m.must(m.SaveMirrorStatus(m.ctx, epoch, status, now.Add(-time.Minute)))
	_, err = m.Beat(m.ctx, member)
	m.must(err)
	see(status, unserved)
	if missed, err := m.Missed(m.ctx, member); err != nil || missed != (leads.Missed{State: leads.MirrorBehind, Since: now, At: now.Add(-time.Minute)}) {
		t.Errorf("missed: %+v, %v", missed, err)
	}
	m.must(m.SaveMirrorStatus(m.ctx, epoch-1, leads.MirrorStatus{MemberID: member, State: leads.MirrorCurrent}, time.Time{}))
	see(status, unserved) // a former owner's word does not count
	m.clock.Advance(-time.Hour)
	_, err = m.Beat(m.ctx, member)
	m.must(err)
	see(leads.MirrorStatus{
		MemberID: member, State: leads.MirrorBlind, Since: now.Add(-time.Hour), BehindSince: status.BehindSince, Reason: "no leadsync process serves the portal",
	}, unserved)
	m.countsFailing()
	m.proofs()
	m.apply(present(t, 1<<32+1, 1, "waits"))
	if at, err := m.OutboxOldestOf(m.ctx, member); err != nil || at.IsZero() {
		t.Errorf("the oldest change of the portal: %s, %v", at, err)
	}
	if at, err := m.OutboxOldestOf(m.ctx, other); err != nil || !at.IsZero() {
		t.Errorf("the oldest change of another portal: %s, %v", at, err)
	}
}

// countsFailing counts leads that cannot be stored, those given up among them, of each portal.
func (m *mirror) countsFailing() {
	m.t.Helper()
	for id, again := range map[int64]time.Time{1: m.clock.Now().Add(time.Hour), 2: {}} {
		_, err := m.CountFailure(m.ctx, leads.Ref{MemberID: member, LeadID: id}, "", "too long", func(int) time.Time { return again })
		m.must(err)
	}
	got, err := m.MirrorStatuses(m.ctx)
	m.must(err)
	for _, s := range got {
		if want := map[string]int64{member: 2}[s.MemberID]; s.Failing != want {
			m.t.Errorf("%d leads of %s are failing, want %d", s.Failing, s.MemberID, want)
		}
	}
	m.must(m.ForgetFailures(m.ctx, member, []int64{1, 2}))
}

// proofs completes a pass; only completed ones prove anything.
func (m *mirror) proofs() {
	m.t.Helper()
	if proofs, err := m.Proofs(m.ctx, member); err != nil || len(proofs) != 0 {
		m.t.Errorf("before any pass: %v, %v", proofs, err)
	}
	_, err := m.RequestRun(m.ctx, leads.Run{MemberID: member, Mode: leads.RunFull})
	m.must(err)
	run, ok, err := m.ClaimRun(m.ctx, member)
	m.must(err)
	if proofs, err := m.Proofs(m.ctx, member); !ok || err != nil || len(proofs) != 0 {
		m.t.Errorf("while it runs: %v, %v", proofs, err)
	}
	run.State = leads.RunCompleted
	m.must(m.SaveRun(m.ctx, run))
	if proofs, err := m.Proofs(m.ctx, member); err != nil || !proofs[leads.RunFull].Equal(run.StartedAt) || run.StartedAt.IsZero() {
		m.t.Errorf("after it: %v, %v, want %s", proofs, err, run.StartedAt)
	}
}
