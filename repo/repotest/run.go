package repotest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func runs(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	t.Run("a run from request to end", func(t *testing.T) { m.with(t, lifeOfARun) })
	t.Run("at most one run of a mode that has read nothing", func(t *testing.T) { m.with(t, oneUnfinished) })
	t.Run("many callers request the same run", func(t *testing.T) { m.with(t, manyAsk) })
	t.Run("a run of a former owner is claimed", func(t *testing.T) { m.with(t, leftRunning) })
	t.Run("the last completed run", func(t *testing.T) { m.with(t, lastCompleted) })
	t.Run("findings", func(t *testing.T) { m.with(t, findings) })
}

func (m *mirror) request(run leads.Run) string {
	m.t.Helper()
	id, err := m.RequestRun(m.ctx, run)
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

func (m *mirror) claim(memberID string) leads.Run {
	m.t.Helper()
	run, ok, err := m.ClaimRun(m.ctx, memberID)
	if err != nil || !ok {
		m.t.Fatalf("claim: %v, %v", ok, err)
	}
	return run
}

func (m *mirror) nothingToClaim(memberID string) {
	m.t.Helper()
	if run, ok, err := m.ClaimRun(m.ctx, memberID); ok || err != nil {
		m.t.Fatalf("claimed %+v, %v", run, err)
	}
}

func lifeOfARun(m *mirror) {
	const memberID = "life"
	m.nothingToClaim(memberID)
	id := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull, DryRun: true})
	want := leads.Run{
		ID: id, MemberID: memberID, Mode: leads.RunFull, State: leads.RunRequested, DryRun: true, RequestedAt: m.clock.Now(),
	}
	m.wantRun(want)
	m.clock.Advance(time.Second)
	want.State, want.StartedAt = leads.RunRunning, m.clock.Now()
	if diff := cmp.Diff(want, m.claim(memberID)); diff != "" {
		m.t.Fatalf("claimed (-want +got):\n%s", diff)
	}
	m.nothingToClaim(memberID)
	m.clock.Advance(time.Second)
	want.State, want.FinishedAt, want.Checkpoint, want.Error = leads.RunIncomplete, m.clock.Now(), 1<<33, "портал не отвечает"
	want.Sums = leads.Sums{
		Scanned: 1, Unchanged: 2, Missed: 3, Stale: 4, Phantom: 5, Unreadable: 6, Inserted: 7, Updated: 8, Deleted: 9, Requests: 10,
	}
	if err := m.SaveRun(m.ctx, want); err != nil {
		m.t.Fatal(err)
	}
	m.wantRun(want)
	if err := m.SaveRun(m.ctx, leads.Run{ID: "unknown"}); err == nil {
		m.t.Error("an unknown run was saved")
	}
	if _, ok, err := m.Run(m.ctx, "unknown"); ok || err != nil {
		m.t.Errorf("an unknown run: %v, %v", ok, err)
	}
}

func (m *mirror) wantRun(want leads.Run) {
	m.t.Helper()
	got, ok, err := m.Run(m.ctx, want.ID)
	if err != nil || !ok {
		m.t.Fatalf("run: %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Fatalf("run (-want +got):\n%s", diff)
	}
}

func oneUnfinished(m *mirror) {
	const memberID = "unfinished"
	first := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	if again := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull}); again != first {
		m.t.Errorf("a second run %s otherRun %s", again, first)
	}
	dry := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull, DryRun: true})
	if dry == first {
		m.t.Error("who asked for a dry run joined one that repairs")
	}
	m.finish(dry, leads.RunCompleted)
	imported := m.request(leads.Run{MemberID: memberID, Mode: leads.RunImport})
	if run := m.claim(memberID); run.ID != first {
		m.t.Errorf("claimed %s before the oldest", run.ID)
	}
	if again := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull}); again != first {
		m.t.Errorf("a second run %s while %s has read nothing", again, first)
	}
	second := m.follows(memberID, first)
	m.finish(first, leads.RunCompleted)
	list, err := m.Runs(m.ctx, memberID, 2)
	if err != nil || len(list) != 2 || list[0].ID != second || list[1].ID != imported {
		m.t.Errorf("newest two runs: %+v, %v", list, err)
	}
}

// follows wants a run that has read something not to answer a new request, and returns the
// run that does.
func (m *mirror) follows(memberID, first string) string {
	m.t.Helper()
	run, _, err := m.Run(m.ctx, first)
	m.must(err)
	run.Scanned, run.Checkpoint = 50, 50
	m.must(m.SaveRun(m.ctx, run))
	second := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull})
	if again := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull}); second == first || again != second {
		m.t.Errorf("requested %s and %s while %s is reading", second, again, first)
	}
	return second
}

func (m *mirror) finish(id string, state leads.RunState) {
	m.t.Helper()
	run, ok, err := m.Run(m.ctx, id)
	if err != nil || !ok {
		m.t.Fatalf("run: %v, %v", ok, err)
	}
	run.State, run.FinishedAt = state, m.clock.Now()
	if err := m.SaveRun(m.ctx, run); err != nil {
		m.t.Fatal(err)
	}
}

// manyAsk requests and claims the same run from eight callers at once, several times, so
// that some calls really run at the same moment.
func manyAsk(m *mirror) {
	for round := range 6 {
		memberID := fmt.Sprint("many", round)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		ids, claimed := make([]string, 8), make([]bool, 8)
		for i := range ids {
			wg.Go(func() {
				<-begin
				id, err := m.RequestRun(m.ctx, leads.Run{MemberID: memberID, Mode: leads.RunFull})
				ids[i] = id
				_, ok, claimErr := m.ClaimRun(m.ctx, memberID)
				claimed[i] = ok
				if err := errors.Join(err, claimErr); err != nil {
					m.t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != 1 {
			m.t.Fatalf("several runs at once: %v", ids)
		}
		if owners := len(slices.DeleteFunc(claimed, func(ok bool) bool { return !ok })); owners != 1 {
			m.t.Fatalf("%d have claimed the same run", owners)
		}
	}
}

func leftRunning(m *mirror) {
	const memberID = "left"
	if _, err := m.RaiseEpoch(m.ctx, memberID, "one"); err != nil {
		m.t.Fatal(err)
	}
	m.request(leads.Run{MemberID: memberID, Mode: leads.RunImport})
	run := m.claim(memberID)
	run.Checkpoint, run.Scanned = 500, 500
	if err := m.SaveRun(m.ctx, run); err != nil {
		m.t.Fatal(err)
	}
	m.nothingToClaim(memberID)
	m.clock.Advance(time.Hour)
	if _, err := m.RaiseEpoch(m.ctx, memberID, "two"); err != nil {
		m.t.Fatal(err)
	}
	run.Epoch = 2
	if diff := cmp.Diff(run, m.claim(memberID)); diff != "" {
		m.t.Errorf("taken up (-want +got):\n%s", diff)
	}
	m.nothingToClaim(memberID)
}

func lastCompleted(m *mirror) {
	const memberID = "last"
	if _, ok, err := m.LastCompleted(m.ctx, memberID); ok || err != nil {
		m.t.Errorf("completed before any: %v, %v", ok, err)
	}
	var want string
	for _, c := range []struct {
		state leads.RunState
		dry   bool
	}{{leads.RunCompleted, false}, {leads.RunCompleted, false}, {leads.RunCompleted, true}, {leads.RunIncomplete, false}} {
		id := m.request(leads.Run{MemberID: memberID, Mode: leads.RunFull, DryRun: c.dry})
		m.finish(id, c.state)
		if c.state == leads.RunCompleted && !c.dry {
			want = id
		}
	}
	run, ok, err := m.LastCompleted(m.ctx, memberID)
	if err != nil || !ok || run.ID != want {
		m.t.Errorf("last completed %+v, %v, %v; want %s", run, ok, err, want)
	}
}

func findings(m *mirror) {
	want := []leads.Finding{
		{RunID: "run-1", Ref: leads.Ref{MemberID: member, LeadID: 2}, Kind: leads.FindingStale, Fields: []string{"PHONE", "TITLE"}, FoundAt: start, Repaired: leads.Updated},
		{RunID: "run-1", Ref: leads.Ref{MemberID: member, LeadID: 1}, Kind: leads.FindingMissed, FoundAt: start, Repaired: leads.Inserted},
		{RunID: "run-1", Ref: leads.Ref{MemberID: member, LeadID: 3}, Kind: leads.FindingPhantom, FoundAt: start, Repaired: leads.Missing},
		{RunID: "run-1", Ref: leads.Ref{MemberID: member, LeadID: 4}, Kind: leads.FindingUnreadable, FoundAt: start, Repaired: leads.Unchanged},
	}
	otherRun := leads.Finding{RunID: "run-2", Ref: leads.Ref{MemberID: member, LeadID: 1}, Kind: leads.FindingMissed}
	if err := m.AddFindings(m.ctx, append([]leads.Finding{otherRun}, want...)); err != nil {
		m.t.Fatal(err)
	}
	if err := m.AddFindings(m.ctx, nil); err != nil {
		m.t.Error(err)
	}
	got, err := m.Findings(m.ctx, "run-1")
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("findings (-want +got):\n%s", diff)
	}
	pagesOfFindings(m, want)
	if got, err = m.Findings(m.ctx, "run-2"); err != nil || len(got) != 1 || !got[0].FoundAt.Equal(m.clock.Now()) {
		m.t.Errorf("findings of another run: %+v, %v", got, err)
	}
}

// pagesOfFindings reads the findings of run-1 page by page.
func pagesOfFindings(m *mirror, want []leads.Finding) {
	m.t.Helper()
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []leads.Finding
		for after, more := int64(0), true; more; more = after > 0 {
			page, next, err := m.FindingPage(m.ctx, "run-1", "", after, limit)
			if err != nil || len(page) > limit {
				m.t.Fatal(len(page), err)
			}
			got, after = append(got, page...), next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	page, next, err := m.FindingPage(m.ctx, "run-1", leads.FindingPhantom, 0, 10)
	if diff := cmp.Diff(want[2:3], page); diff != "" || next != 0 || err != nil {
		m.t.Errorf("of one kind, next %d, %v:\n%s", next, err, diff)
	}
}

func records(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	ref := leads.Ref{MemberID: member, LeadID: 77}
	const reason = "причина 🙂 \uFFFD"
	long := "причина 🙂 \x00\xff " + string(make([]byte, 5000))
	if err := m.RecordFailure(m.ctx, ref, long, []byte(`{"ID":"77","TITLE":"Ёж"}`)); err != nil {
		t.Fatal(err)
	}
	got := []string{
		m.text("SELECT sql_ID FROM bitrix_import_lead_error"), m.text("SELECT member_id FROM bitrix_import_lead_error"),
		m.text("SELECT sql_full_lead_info FROM bitrix_import_lead_error"), m.text("SELECT sql_error FROM bitrix_import_lead_error")[:len(reason)],
	}
	want := []string{"77", member, `{"ID":"77","TITLE":"Ёж"}`, reason}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if err := m.RecordFailure(m.ctx, ref, "", nil); err != nil {
		t.Error(err)
	}
	m.clock.Advance(time.Hour)
	if err := m.RecordFailure(m.ctx, ref, long, []byte(`{"ID":"77","UF_F":"/x?auth=SECRET&id=1"}`)); err != nil {
		t.Error(err)
	}
	if rows := m.text("SELECT COUNT(*) FROM bitrix_import_lead_error"); rows != "2" {
		t.Errorf("%s rows, want one for each reason", rows)
	}
	if payload, _, err := m.FailedPayload(m.ctx, ref); err != nil || payload != `{"ID":"77","UF_F":"/x?id=1"}` {
		t.Errorf("the last payload is %s, %v", payload, err)
	}
	m.exec("DELETE FROM bitrix_lead_runtime")
	m.touched()
	m.exec("DELETE FROM bitrix_lead_runtime WHERE Id = (SELECT MAX(Id) FROM bitrix_lead_runtime)")
	for range 2 { // not only at the first time
		m.exec("INSERT INTO bitrix_lead_runtime (lead_list_dt) VALUES (NULL)")
	}
	m.touched()
	if rows := m.text("SELECT COUNT(*) FROM bitrix_lead_runtime"); rows != "2" {
		t.Errorf("%s rows, want the two that were there", rows)
	}
}

// touched stores times of reading and wants them in the first row.
func (m *mirror) touched() {
	m.t.Helper()
	at := time.Date(2026, 3, 29, 2, 30, 0, 0, time.Local)
	if err := errors.Join(m.TouchLeadList(m.ctx, at), m.TouchLeadGet(m.ctx, at.Add(time.Minute))); err != nil {
		m.t.Fatal(err)
	}
	const first = " FROM bitrix_lead_runtime WHERE Id = (SELECT MIN(Id) FROM bitrix_lead_runtime)"
	for column, want := range map[string]time.Time{"lead_list_dt": at, "lead_get_by_id_dt": at.Add(time.Minute)} {
		got := m.text(m.on("SELECT "+column+first, "SELECT CONVERT(nvarchar(19), "+column+", 126)"+first))
		if got != want.Format(leads.WallClock) {
			m.t.Errorf("%s is %s, want %s", column, got, want.Format(leads.WallClock))
		}
	}
}
