package repotest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func passes(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	t.Run("findings are settled with their run", func(t *testing.T) { m.with(t, settling) })
	t.Run("a former owner cannot save a run", func(t *testing.T) { m.with(t, formerOwner) })
	t.Run("a run is paused, resumed, given up", func(t *testing.T) { m.with(t, pausing) })
	t.Run("the watermark is of the newest completed pass", func(t *testing.T) { m.with(t, watermarks) })
	t.Run("incidents and beats", func(t *testing.T) { m.with(t, incidents) })
	t.Run("ids and rows", func(t *testing.T) { m.with(t, idsAndRows) })
}

func settling(m *mirror) {
	const memberID = "settling"
	m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull, MaxDeletes: 7})
	run := m.claim(memberID)
	finding := func(id int64, repaired leads.Verdict) leads.Finding {
		return leads.Finding{
			RunID: run.ID, Ref: leads.Ref{MemberID: memberID, LeadID: id}, Kind: leads.FindingPhantom, FoundAt: start,
			Repaired: repaired, Cause: "ёж", Behind: 90 * time.Second,
		}
	}
	noted := []leads.Finding{finding(1, leads.Pending), finding(2, leads.Pending), finding(30, leads.Pending)}
	if err := m.AddFindings(m.ctx, noted); err != nil {
		m.t.Fatal(err)
	}
	m.sees(m.Findings(m.ctx, run.ID))
	m.sees(m.Noted(m.ctx, run.ID))(noted...)
	run.Checkpoint, run.Phantom, run.Refused, run.Requests, run.Unprocessable, run.Failing = 20, 2, 3, 4, 5, 6
	run.PortalAt = time.Date(2026, 11, 23, 13, 0, 0, 0, time.FixedZone("", 3*3600))
	run.Since = run.PortalAt.Add(-time.Hour)
	settled := []leads.Finding{finding(1, leads.Missing), finding(2, leads.Withheld)}
	if err := m.Settle(m.ctx, run, settled); err != nil {
		m.t.Fatal(err)
	}
	m.wantRun(run)
	m.sees(m.Findings(m.ctx, run.ID))(settled...)
	m.sees(m.Noted(m.ctx, run.ID))(noted[2])
	for after, want := range map[int64][]int64{0: {1, 2}, 1: {2}, 2: nil} {
		if ids, err := m.Unconfirmed(m.ctx, run.ID, after, 10); err != nil || cmp.Diff(want, ids) != "" {
			m.t.Errorf("unconfirmed after %d: %v, %v", after, ids, err)
		}
	}
	run.Deleted = 1
	if err := m.Confirm(m.ctx, run, []leads.Outcome{{Ref: settled[0].Ref, Verdict: leads.Deleted}}); err != nil {
		m.t.Fatal(err)
	}
	m.wantRun(run)
	settled[0].Repaired = leads.Deleted
	m.sees(m.Findings(m.ctx, run.ID))(settled...)
}

// sees wants these findings.
func (m *mirror) sees(got []leads.Finding, err error) func(want ...leads.Finding) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	return func(want ...leads.Finding) {
		m.t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("findings (-want +got):\n%s", diff)
		}
	}
}

func formerOwner(m *mirror) {
	const memberID = "former"
	if _, err := m.RaiseEpoch(m.ctx, memberID, "one"); err != nil {
		m.t.Fatal(err)
	}
	m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	old := m.claim(memberID)
	if _, err := m.RaiseEpoch(m.ctx, memberID, "two"); err != nil {
		m.t.Fatal(err)
	}
	run := m.claim(memberID)
	run.Checkpoint, run.Scanned = 500, 500
	if err := m.SaveRun(m.ctx, run); err != nil {
		m.t.Fatal(err)
	}
	old.Checkpoint = 100
	late := []leads.Finding{{RunID: old.ID, Ref: leads.Ref{MemberID: memberID, LeadID: 1}, Kind: leads.FindingMissed}}
	for what, err := range map[string]error{"save": m.SaveRun(m.ctx, old), "settle": m.Settle(m.ctx, old, late)} {
		if !errors.Is(err, repo.ErrNotOwner) {
			m.t.Errorf("%s by a former owner: %v", what, err)
		}
	}
	m.wantRun(run)
	m.sees(m.Findings(m.ctx, run.ID))()
}

func pausing(m *mirror) {
	const memberID = "pausing"
	m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	run := m.claim(memberID)
	if ok, err := m.StopRun(m.ctx, run.ID, leads.RunPaused, ""); err != nil || !ok {
		m.t.Fatalf("pause: %v, %v", ok, err)
	}
	run.Checkpoint, run.Scanned = 50, 50
	if err := m.SaveRun(m.ctx, run); !errors.Is(err, leads.ErrPaused) {
		m.t.Fatalf("saved: %v", err)
	}
	m.nothingToClaim(memberID)
	run.State = leads.RunPaused
	m.wantRun(run)
	run.MaxDeletes = 9
	if ok, err := m.ResumeRun(m.ctx, run); err != nil || !ok {
		m.t.Fatalf("resume: %v, %v", ok, err)
	}
	if ok, err := m.ResumeRun(m.ctx, run); err != nil || ok {
		m.t.Errorf("resumed twice: %v, %v", ok, err)
	}
	run.State = leads.RunRunning
	if diff := cmp.Diff(run, m.claim(memberID)); diff != "" {
		m.t.Errorf("resumed (-want +got):\n%s", diff)
	}
	if ok, err := m.StopRun(m.ctx, run.ID, leads.RunIncomplete, "restarted"); err != nil || !ok {
		m.t.Fatalf("give up: %v, %v", ok, err)
	}
	if err := m.SaveRun(m.ctx, run); !errors.Is(err, leads.ErrPaused) {
		m.t.Errorf("saved: %v", err)
	}
	run.State, run.Error, run.FinishedAt = leads.RunIncomplete, "restarted", m.clock.Now()
	m.wantRun(run)
	other := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	if ok, err := m.StopRun(m.ctx, other, leads.RunPaused, ""); err != nil || !ok {
		m.t.Fatalf("pause a requested run: %v, %v", ok, err)
	}
	m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	if ok, err := m.ResumeRun(m.ctx, leads.Run{ID: other, MemberID: memberID, Mode: leads.RunFull}); err != nil || ok {
		m.t.Errorf("resumed beside another: %v, %v", ok, err)
	}
}

func watermarks(m *mirror) {
	const memberID = "watermark"
	if at, err := m.Watermark(m.ctx, memberID); err != nil || !at.At.IsZero() {
		m.t.Errorf("before any: %v, %v", at, err)
	}
	var want leads.Watermark
	for i, c := range []struct {
		mode  leads.RunMode
		state leads.RunState
		dry   bool
		marks bool
	}{
		{leads.RunImport, leads.RunCompleted, false, true},
		{leads.RunChanged, leads.RunCompleted, false, true},
		{leads.RunIDs, leads.RunCompleted, false, false},
		{leads.RunFull, leads.RunCompleted, true, false},
		{leads.RunFull, leads.RunIncomplete, false, false},
	} {
		id := m.request(leads.Run{MemberID: memberID, Mode: c.mode, DryRun: c.dry})
		run := m.claim(memberID)
		run.State, run.PortalAt = c.state, start.Add(time.Duration(i)*time.Minute)
		if err := m.SaveRun(m.ctx, run); err != nil || run.ID != id {
			m.t.Fatal(err)
		}
		if c.marks {
			want = leads.Watermark{At: run.PortalAt, Began: run.StartedAt}
		}
		if at, err := m.Watermark(m.ctx, memberID); err != nil || !at.At.Equal(want.At) || !at.Began.Equal(want.Began) {
			m.t.Errorf("after %s %s: %v, %v, want %v", c.mode, c.state, at, err, want)
		}
	}
	if run, ok, err := m.LastFull(m.ctx, memberID); err != nil || !ok || run.State != leads.RunIncomplete {
		m.t.Errorf("last full pass: %+v, %v, %v", run, ok, err)
	}
	m.lastEnded(memberID)
}

// lastEnded wants the full pass that was given up, also while another one runs, and then that.
func (m *mirror) lastEnded(memberID string) {
	m.t.Helper()
	if run, ok, err := m.LastEnded(m.ctx, "nobody"); err != nil || ok {
		m.t.Errorf("last pass of a portal without one: %+v, %v", run, err)
	}
	id := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	if run, ok, err := m.LastEnded(m.ctx, memberID); err != nil || !ok || run.State != leads.RunIncomplete || run.ID == id {
		m.t.Errorf("last pass that ended, while one runs: %+v, %v, %v", run, ok, err)
	}
	m.finish(id, leads.RunCompleted)
	if run, ok, err := m.LastEnded(m.ctx, memberID); err != nil || !ok || run.State != leads.RunCompleted || run.ID != id {
		m.t.Errorf("last pass that ended: %+v, %v, %v", run, ok, err)
	}
}

func incidents(m *mirror) {
	const memberID = "incidents"
	if _, err := m.RaiseEpoch(m.ctx, memberID, "one"); err != nil {
		m.t.Fatal(err)
	}
	if last, err := m.Beat(m.ctx, memberID); err != nil || !last.IsZero() {
		m.t.Errorf("first beat: %v, %v", last, err)
	}
	before := m.clock.Now()
	m.clock.Advance(time.Hour)
	if last, err := m.Beat(m.ctx, memberID); err != nil || !last.Equal(before) {
		m.t.Errorf("second beat: %v, %v", last, err)
	}
	want := []leads.Incident{
		{MemberID: memberID, Kind: leads.IncidentDown, From: before, To: before.Add(time.Minute), Detail: "ёж"},
		{Kind: leads.IncidentRefused, From: before.Add(time.Second), To: before.Add(time.Minute)},
	}
	for _, i := range append(want, leads.Incident{MemberID: "another", Kind: leads.IncidentDown, From: before, To: before.Add(time.Minute)}) {
		if err := m.AddIncident(m.ctx, i); err != nil {
			m.t.Fatal(err)
		}
	}
	for since, want := range map[time.Duration][]leads.Incident{0: want, 2 * time.Minute: nil} {
		got, err := m.Incidents(m.ctx, memberID, before.Add(since))
		if err != nil {
			m.t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("incidents since %s (-want +got):\n%s", since, diff)
		}
	}
}

func idsAndRows(m *mirror) {
	const memberID = "idsandrows"
	m.fill(memberID, 5)
	m.verdicts(leads.Deleted, absences(memberID, 2, true, 3)...)
	got, err := m.IDs(m.ctx, memberID, 1, 4, 10)
	if err != nil {
		m.t.Fatal(err)
	}
	ref := func(id int64) leads.Ref { return leads.Ref{MemberID: memberID, LeadID: id} }
	want := []leads.Row{{Ref: ref(2), Ticket: 1}, {Ref: ref(3), Ticket: 2, Deleted: true}, {Ref: ref(4), Ticket: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("ids (-want +got):\n%s", diff)
	}
	if got, err := m.IDs(m.ctx, memberID, 0, 9, 2); err != nil || len(got) != 2 {
		m.t.Errorf("at most two: %v, %v", got, err)
	}
	rows, err := m.Rows(m.ctx, memberID, []int64{5, 2, 77})
	if err != nil || len(rows) != 2 || rows[0].LeadID != 2 || column(rows[1], "TITLE") != "a" {
		m.t.Errorf("rows: %v, %v", rows, err)
	}
}
