package repotest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func outbox(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	first := seen(7, card(t, 1, map[string]any{"TITLE": `<b>"Тест" & \ 🙂</b>`}))
	m.apply(first)
	m.apply(present(t, 8, 1, "second"), present(t, 8, 2, "beside"))
	m.apply(proven(9, 1))
	waiting, err := m.Outbox(m.ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []leads.Change
	for i, a := range waiting {
		if i > 0 && a.ID <= waiting[i-1].ID {
			t.Errorf("ids %d, %d do not rise", waiting[i-1].ID, a.ID)
		}
		if a.Change.LeadID == 1 {
			got = append(got, a.Change)
		}
	}
	want := []leads.Change{
		change(first, leads.Added, 1, "TITLE"), change(present(t, 8, 1, "second"), leads.Changed, 2, "TITLE"),
		change(proven(9, 1), leads.RemovedKind, 3),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes of lead 1 (-want +got):\n%s", diff)
	}
	m.body(waiting[0].ID, first)
	if depth, err := m.OutboxDepth(m.ctx); err != nil || depth != 4 {
		t.Errorf("depth %d, %v; want 4", depth, err)
	}
	if some, err := m.Outbox(m.ctx, 2); err != nil || len(some) != 2 || some[0].ID != waiting[0].ID {
		t.Errorf("the oldest two: %+v, %v", some, err)
	}
	if err := m.DropOutbox(m.ctx, []int64{waiting[0].ID, waiting[2].ID}); err != nil {
		t.Fatal(err)
	}
	left, err := m.Outbox(m.ctx, 10)
	if err != nil || len(left) != 2 || left[0].ID != waiting[1].ID || left[1].ID != waiting[3].ID {
		t.Errorf("left %+v, %v", left, err)
	}
	m.drain()
	m.apply(present(t, 10, 3, "after"))
	if again, err := m.Outbox(m.ctx, 10); err != nil || len(again) != 1 || again[0].ID <= waiting[3].ID {
		t.Errorf("an id came back after the table was empty: %+v, %v", again, err)
	}
	if err := m.DropOutbox(m.ctx, nil); err != nil {
		t.Error(err)
	}
}

// outboxFairly has a portal whose import waits: the changes of another do not wait behind it.
func outboxFairly(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: start}))
	}
	for id := range int64(20) {
		m.apply(present(t, 1, id+1, "imported"))
	}
	edited := present(t, 1, 1, "edited")
	edited.MemberID = other
	m.apply(edited)
	m.wantOfEach("of 20 and 1 changes", map[string]int{member: 5, other: 1})
	m.exec("UPDATE " + m.on("bitrix_leads", "dbo.bitrix_leads") + " SET read_at = " + m.on("'2026-11-24T00:00:00.000Z'", "'2026-11-24T00:00:00.000+00:00'") + " WHERE sql_ID = 3")
	m.wantOfEach("where the third is torn", map[string]int{member: 2, other: 1})
}

// wantOfEach wants so many changes of each portal in the outbox, ten at most.
func (m *mirror) wantOfEach(what string, want map[string]int) {
	m.t.Helper()
	some, err := m.Outbox(m.ctx, 10)
	m.must(err)
	count := map[string]int{}
	for _, a := range some {
		count[a.Change.MemberID]++
	}
	if diff := cmp.Diff(want, count); diff != "" {
		m.t.Errorf("%s, ten at most (-want +got):\n%s", what, diff)
	}
}

// outboxOfLargeCards has cards of which few fit into memory at once: of the portals together no more are read than they may
// take, but one of each at least.
func outboxOfLargeCards(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{OutboxBytes: 4500})
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: start}))
	}
	large := strings.Repeat("x", 900)
	m.applyMany(1, 9, large)
	m.wantOfEach("of 9 cards in rows", map[string]int{member: 5})
	m.applyMany(2, 9, "edited: "+large)
	m.wantOfEach("of 18 cards", map[string]int{member: 5})
	edited := present(t, 1, 1, large)
	edited.MemberID = other
	m.apply(edited)
	m.wantOfEach("of 18 and 1 cards", map[string]int{member: 3, other: 1})
	m.apply(present(t, 3, 1, strings.Repeat("y", 10_000)))
	for left := 20; left > 0; {
		some, err := m.Outbox(m.ctx, 10)
		if err != nil || len(some) == 0 {
			t.Fatalf("%d changes of %d, %v", len(some), left, err)
		}
		var ids []int64
		for _, a := range some {
			ids = append(ids, a.ID)
		}
		m.must(m.DropOutbox(m.ctx, ids))
		left -= len(some)
	}
}

// outboxCards has announcements whose cards are in the rows of new leads: each keeps its own,
// whatever happens to the row before it is announced.
func outboxCards(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	const many = 60 // more than are written without temporary tables
	m.applyMany(1, many, "new")
	m.wantInRow(many)
	m.applyMany(2, many-1, "edited")
	m.wantInRow(1)
	m.apply(present(t, 3, 100+many, "edited alone"))
	m.apply(proven(4, 101))
	m.wantInRow(0)
	m.apply(present(t, 5, many+1, "new, then deleted"))
	m.apply(proven(6, many+1))
	waiting, err := m.Outbox(m.ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, a := range waiting {
		lead, _ := leads.Parse(a.Change.Lead)
		got[fmt.Sprintf("%d %s %v", a.Change.Revision, lead.Value("TITLE"), a.Lost)]++
	}
	want := map[string]int{
		"1 new false": many, "2 edited false": many - 1, "2 edited alone false": 1, "3  false": 1,
		"1 new, then deleted false": 1, "2  false": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announcements (-want +got):\n%s", diff)
	}
}

// wantInRow wants that many announcements to take their card from the row.
func (m *mirror) wantInRow(want int) {
	m.t.Helper()
	if got := m.text("SELECT COUNT(*) FROM leadsync_outbox WHERE card_in_row = 1"); got != strconv.Itoa(want) {
		m.t.Errorf("%s announcements have their card in the row, want %d", got, want)
	}
}

// outboxTorn has rows that somebody else deletes, damages or replaces before their changes are announced.
func outboxTorn(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	table := m.on("bitrix_leads", "dbo.bitrix_leads")
	for id := range int64(5) {
		m.apply(present(t, 1, id+1, "new"))
	}
	m.exec("DELETE FROM " + table + " WHERE sql_ID IN (1, 2)")
	m.apply(present(t, 2, 2, "deleted and back"))
	// As a statement sees it that reads the announcement before an update and the card after it.
	m.exec("UPDATE " + table + " SET read_at = " + m.on("'2026-11-24T00:00:00.000Z'", "'2026-11-24T00:00:00.000+00:00'") + " WHERE sql_ID = 3")
	m.exec("UPDATE " + table + " SET raw_json = '{\"ID\":\"5\",' WHERE sql_ID = 5")
	m.wantWaiting("before the torn ones", "1 lost")
	m.wantWaiting("what stays torn gets the card of today", "2 deleted and back", "3 new", "4 new", "5 lost", "2 deleted and back")
	m.apply(present(t, 1, 6, "new"))
	m.exec("UPDATE " + table + " SET raw_json = '{\"ID\":\"6\",' WHERE sql_ID = 6")
	m.apply(present(t, 2, 6, "repaired"))
	m.wantWaiting("a damaged card is not copied into the announcement", "6 repaired", "6 repaired")
}

// wantWaiting wants these leads in the outbox, with their titles, and takes them out.
func (m *mirror) wantWaiting(what string, want ...string) {
	m.t.Helper()
	waiting, err := m.Outbox(m.ctx, 100)
	m.must(err)
	var got []string
	var ids []int64
	for _, a := range waiting {
		lead, _ := leads.Parse(a.Change.Lead)
		title := lead.Value("TITLE")
		if a.Lost {
			title = "lost"
		}
		got, ids = append(got, fmt.Sprintf("%d %s", a.Change.LeadID, title)), append(ids, a.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	m.must(m.DropOutbox(m.ctx, ids))
}

// outboxTogether makes the outbox fail: a change that cannot be announced is not written.
func outboxTogether(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	m.apply(present(t, 1, 1, "announced"))
	m.exec("DROP TABLE " + m.on("leadsync_outbox", "dbo.leadsync_outbox"))
	outcomes, err := m.Apply(m.ctx, []leads.Snapshot{present(t, 2, 1, "not announced"), present(t, 2, 2, "neither")})
	for _, o := range outcomes {
		if err == nil && o.Verdict != leads.Failed { // Babelfish does not report a missing table as such
			t.Errorf("%s: %s without an outbox", o.Ref, o.Verdict)
		}
	}
	if row := m.row(member, 1); row.Revision != 1 || column(row, "TITLE") != "announced" {
		t.Errorf("written and not announced: revision %d, title %q", row.Revision, column(row, "TITLE"))
	}
	if _, ok, err := m.Row(m.ctx, leads.Ref{MemberID: member, LeadID: 2}); ok || err != nil {
		t.Errorf("written and not announced: %v, %v", ok, err)
	}
}

func change(s leads.Snapshot, kind leads.ChangeKind, revision int64, fields ...string) leads.Change {
	return leads.Change{
		MemberID: s.MemberID, LeadID: s.LeadID, Kind: kind, Revision: revision,
		Fields: append([]string{}, fields...), Cause: s.Cause, ReadAt: s.ReadAt, Lead: s.Lead.Raw,
	}
}

// body wants the stored JSON to be that of the contract, with the card as the portal sent it.
func (m *mirror) body(id int64, s leads.Snapshot) {
	m.t.Helper()
	var body map[string]json.RawMessage
	if err := json.Unmarshal([]byte(m.text("SELECT body FROM leadsync_outbox WHERE id = @id", sqlID(id))), &body); err != nil {
		m.t.Fatal(err)
	}
	got := map[string]string{}
	for name, value := range body {
		got[name] = string(value)
	}
	want := map[string]string{
		"member_id": `"` + member + `"`, "lead_id": "1", "change": `"added"`, "revision": "1", "changed": `["TITLE"]`,
		"cause": `"event"`, "read_at": `"2026-11-23T10:00:07Z"`, "lead": string(s.Lead.Raw),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("body (-want +got):\n%s", diff)
	}
}
