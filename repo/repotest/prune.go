package repotest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

const day = 24 * time.Hour

// pruning lets history grow old and wants all of it to go but what is still needed.
func pruning(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}))
	for _, c := range []struct {
		name string
		test func(*mirror)
	}{
		{"runs and findings", pruneRuns},
		{"a run with many findings, interrupted", pruneManyFindings},
		{"incidents", pruneIncidents},
		{"callbacks", pruneCallbacks},
		{"rows of leads that could not be written", pruneFailures},
		{"settings that somebody has emptied", emptiedSettings},
		{"the history of changes", pruneChanges},
		{"sizes of tables", tableRows},
	} {
		t.Run(c.name, func(t *testing.T) { m.with(t, c.test) })
	}
}

// pruned deletes what is older than a moment and returns how many rows of each table went. No
// transaction may delete more than 1,000 rows of one.
func (m *mirror) pruned(before time.Time) map[string]int64 {
	m.t.Helper()
	gone := map[string]int64{}
	err := m.Prune(m.ctx, repo.Pruning{Before: before, Deleted: func(table string, rows int64) {
		if rows > 1000 {
			m.t.Errorf("%d rows of %s in one transaction", rows, table)
		}
		if rows > 0 {
			gone[table] += rows
		}
	}})
	m.must(err)
	return gone
}

// ran is a run of a mode that began and ended now, with findings of these verdicts.
func (m *mirror) ran(memberID string, mode leads.RunMode, state leads.RunState, dry bool, found ...leads.Verdict) string {
	m.t.Helper()
	id := m.request(leads.Run{MemberID: memberID, Mode: mode, DryRun: dry})
	run := m.claim(memberID)
	if run.ID != id {
		m.t.Fatalf("claimed %s, want %s", run.ID, id)
	}
	run.PortalAt, run.Scanned = m.clock.Now(), 1
	m.must(m.SaveRun(m.ctx, run))
	var findings []leads.Finding
	for i, verdict := range found {
		findings = append(findings, leads.Finding{
			RunID: id, Ref: leads.Ref{MemberID: memberID, LeadID: int64(i + 1)}, Kind: leads.FindingStale, Repaired: verdict,
		})
	}
	m.must(m.AddFindings(m.ctx, findings))
	m.clock.Advance(time.Minute)
	if state == leads.RunPaused {
		if ok, err := m.StopRun(m.ctx, id, state, ""); err != nil || !ok {
			m.t.Fatalf("pause: %v, %v", ok, err)
		}
	} else {
		m.finish(id, state)
	}
	m.clock.Advance(time.Minute)
	return id
}

// known is what passes and the mirror's status go by.
func (m *mirror) known(memberID string) string {
	m.t.Helper()
	watermark, err := m.Watermark(m.ctx, memberID)
	m.must(err)
	proofs, err := m.Proofs(m.ctx, memberID)
	m.must(err)
	completed, ok, err := m.LastCompleted(m.ctx, memberID)
	m.must(err)
	full, okFull, err := m.LastFull(m.ctx, memberID)
	m.must(err)
	return fmt.Sprintf("watermark %s, proofs %v, completed %s %v, full %s %v", watermark, proofs, completed.ID, ok, full.ID, okFull)
}

func pruneRuns(m *mirror) {
	const memberID, neighbour = "prune", "prune2"
	goes, stays := map[string]string{}, map[string]string{}
	note := func(to map[string]string, id, why string) { to[id] = why }
	note(stays, m.ran(memberID, leads.RunImport, leads.RunCompleted, false), "the only import")
	note(goes, m.ran(memberID, leads.RunFull, leads.RunCompleted, false, leads.Updated, leads.Inserted), "a later full pass")
	note(goes, m.ran(memberID, leads.RunIDs, leads.RunCompleted, false, leads.Failed), "not repaired, and a full pass since")
	note(goes, m.ran(memberID, leads.RunFull, leads.RunIncomplete, false), "given up, and a full pass since")
	note(goes, m.ran(memberID, leads.RunFull, leads.RunCompleted, true, leads.Unchanged), "a dry run")
	paused := m.ran(memberID, leads.RunIDs, leads.RunPaused, false)
	note(stays, paused, "paused")
	m.exec("UPDATE leadsync_runs SET finished_at = requested_at WHERE id = '" + paused + "'") // whatever it says
	note(stays, m.ran(memberID, leads.RunFull, leads.RunCompleted, false, leads.Updated), "the last full pass")
	for _, verdict := range []leads.Verdict{leads.Pending, leads.Missing, leads.Withheld, leads.Failed} {
		note(stays, m.ran(memberID, leads.RunChanged, leads.RunCompleted, false, leads.Updated, verdict), "not repaired: "+verdict.String())
	}
	note(goes, m.ran(memberID, leads.RunChanged, leads.RunCompleted, false, leads.Updated, leads.Deleted), "all repaired")
	note(stays, m.ran(memberID, leads.RunChanged, leads.RunCompleted, false), "the last over changes")
	note(stays, m.ran(memberID, leads.RunIDs, leads.RunCompleted, false), "the last over ids")
	note(stays, m.ran(memberID, leads.RunIDs, leads.RunIncomplete, false), "given up, and none since")
	note(stays, m.ran(neighbour, leads.RunFull, leads.RunCompleted, false), "the last of another portal")
	note(stays, m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull}), "requested")
	m.clock.Advance(20 * day)
	cutoff := m.clock.Now()
	m.clock.Advance(day)
	if run := m.claim(memberID); run.Mode != leads.RunFull {
		m.t.Fatalf("claimed %+v", run)
	}
	before := m.known(memberID)
	gone := m.pruned(cutoff)
	for id, why := range goes {
		if _, ok, err := m.Run(m.ctx, id); ok || err != nil {
			m.t.Errorf("the run stays (%s): %v", why, err)
		}
		if n := m.text("SELECT COUNT(*) FROM leadsync_findings WHERE run_id = '" + id + "'"); n != "0" {
			m.t.Errorf("%s findings stay (%s)", n, why)
		}
	}
	for id, why := range stays {
		if _, ok, err := m.Run(m.ctx, id); !ok || err != nil {
			m.t.Errorf("the run is deleted (%s): %v", why, err)
		}
	}
	if diff := cmp.Diff(map[string]int64{"leadsync_runs": int64(len(goes)), "leadsync_findings": 6}, gone); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if after := m.known(memberID); after != before {
		m.t.Errorf("passes go by\n%s, before by\n%s", after, before)
	}
	if again := m.pruned(cutoff); len(again) > 0 {
		m.t.Errorf("deleted again: %v", again)
	}
}

// pruneManyFindings stops after the first transaction; the next call goes on.
func pruneManyFindings(m *mirror) {
	const memberID = "prunemany"
	old := m.ran(memberID, leads.RunFull, leads.RunCompleted, false, slices.Repeat([]leads.Verdict{leads.Updated}, 2300)...)
	m.ran(memberID, leads.RunFull, leads.RunCompleted, false)
	m.clock.Advance(20 * day)
	left := func() string { return m.text("SELECT COUNT(*) FROM leadsync_findings WHERE run_id = '" + old + "'") }
	stop := errors.New("stop")
	err := m.Prune(m.ctx, repo.Pruning{Before: m.clock.Now(), Rest: func(context.Context, time.Duration) error { return stop }})
	if !errors.Is(err, stop) || left() != "1300" {
		m.t.Fatalf("%v, and %s findings are left, want 1300", err, left())
	}
	if _, ok, err := m.Run(m.ctx, old); !ok || err != nil {
		m.t.Errorf("the run is gone before its findings: %v", err)
	}
	if diff := cmp.Diff(map[string]int64{"leadsync_runs": 1, "leadsync_findings": 1300}, m.pruned(m.clock.Now())); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
}

func pruneIncidents(m *mirror) {
	for _, days := range []int{0, 1, 2} {
		from := m.clock.Now().Add(time.Duration(days) * day)
		m.must(m.AddIncident(m.ctx, leads.Incident{MemberID: member, Kind: leads.IncidentDown, From: from, To: from.Add(day)}))
	}
	if diff := cmp.Diff(map[string]int64{"leadsync_incidents": 1}, m.pruned(m.clock.Now().Add(day+time.Minute))); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if left, err := m.Incidents(m.ctx, member, start); err != nil || len(left) != 2 {
		m.t.Errorf("%d incidents are left, %v", len(left), err)
	}
}

func pruneCallbacks(m *mirror) {
	var list []leads.LastCallback
	for id := int64(1); id <= 2400; id++ {
		at := m.clock.Now()
		if id%3 == 0 {
			at = at.Add(10 * day)
		}
		list = append(list, leads.LastCallback{LeadID: id, Event: "ONCRMLEADUPDATE", ReceivedAt: at})
	}
	m.must(m.NoteCallbacks(m.ctx, member, list))
	if diff := cmp.Diff(map[string]int64{"leadsync_callbacks": 1600}, m.pruned(m.clock.Now().Add(day))); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
	left, err := m.LastCallbacks(m.ctx, member, []int64{1, 2, 3, 2399, 2400})
	if err != nil || len(left) != 2 || left[0].LeadID != 3 || left[1].LeadID != 2400 {
		m.t.Errorf("callbacks of %v are left, %v", left, err)
	}
}

// pruneFailures wants the rows that were there before leadsync came to stay, however old.
func pruneFailures(m *mirror) {
	m.exec("DELETE FROM bitrix_import_lead_error")
	_, err := m.MigrateDown(m.ctx)
	m.must(err)
	for range 2 {
		m.exec("INSERT INTO bitrix_import_lead_error (sql_ID, sql_error, sql_date_error) VALUES ('not a number', 'their own', '2020-01-01T00:00:00')")
	}
	_, err = m.Adopt(m.ctx, nil)
	m.must(err)
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}))
	var list []leads.LastCallback // they stay, and give 1,200 numbers at once
	for id := int64(1); id <= 1200; id++ {
		list = append(list, leads.LastCallback{LeadID: id, Event: "ONCRMLEADUPDATE", ReceivedAt: m.clock.Now().Add(30 * day)})
	}
	m.must(m.NoteCallbacks(m.ctx, member, list))
	m.exec("INSERT INTO bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_full_lead_info, sql_date_error) " +
		"SELECT c.member_id, c.lead_id, c.lead_id, 'reason', '{}', '" + m.clock.Now().Format(leads.WallClock) + "' FROM leadsync_callbacks AS c ORDER BY c.lead_id")
	still := leads.Ref{MemberID: member, LeadID: 700}
	_, err = m.CountFailure(m.ctx, still, "", "", func(int) time.Time { return time.Time{} })
	m.must(err)
	m.clock.Advance(5 * day)
	again := leads.Ref{MemberID: member, LeadID: 3}
	m.must(m.RecordFailure(m.ctx, again, "reason", []byte("{}")))
	if diff := cmp.Diff(map[string]int64{"bitrix_import_lead_error": 1198}, m.pruned(m.clock.Now().Add(-2*day))); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
	for _, ref := range []leads.Ref{still, again} {
		if _, ok, err := m.FailedPayload(m.ctx, ref); !ok || err != nil {
			m.t.Errorf("the row of %s is gone: %v", ref, err)
		}
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_import_lead_error WHERE sql_error = 'their own'"); n != "2" {
		m.t.Errorf("%s rows of the call centre, want both", n)
	}
}

// emptiedSettings wants rows to stay where nobody knows any more whose they are, and later ones
// to go.
func emptiedSettings(m *mirror) {
	m.exec("DELETE FROM leadsync_settings")
	for id := int64(1); id <= 2; id++ {
		m.must(m.RecordFailure(m.ctx, leads.Ref{MemberID: member, LeadID: id}, "before", nil))
	}
	m.clock.Advance(day)
	want := map[string]int64{}
	for range 2 {
		if diff := cmp.Diff(want, m.pruned(m.clock.Now())); diff != "" {
			m.t.Errorf("deleted (-want +got):\n%s", diff)
		}
		m.must(m.CheckRules(m.ctx)) // it is no rule
		m.must(m.RecordFailure(m.ctx, leads.Ref{MemberID: member, LeadID: 3}, "after", nil))
		m.clock.Advance(day)
		want = map[string]int64{"bitrix_import_lead_error": 1}
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_import_lead_error WHERE sql_error = 'before'"); n != "2" {
		m.t.Errorf("%s rows are left, want both", n)
	}
}

// tableRows wants the sizes of the tables that grow. Babelfish's are estimates, as old as its
// statistics.
func tableRows(m *mirror) {
	sizes, err := m.TableRows(m.ctx)
	m.must(err)
	for _, table := range []string{"leadsync_findings", "leadsync_callbacks", "bitrix_import_lead_error", "bitrix_leads"} {
		got, ok := sizes[table]
		if !ok {
			m.t.Errorf("the size of %s is unknown", table)
		}
		if want := m.text("SELECT COUNT(*) FROM " + table); strconv.FormatInt(got, 10) != want && (m.Dialect() == "sqlite" || !m.babelfish()) {
			m.t.Errorf("%s has %d rows, want %s", table, got, want)
		}
	}
}
