package repotest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// history wants each change in leadsync_changes, written with its row, one by one and in bulk.
func history(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	for _, c := range []struct {
		name string
		test func(*mirror)
	}{
		{"one lead", historyOfOne},
		{"many leads at once", historyOfMany},
		{"values", historyWithValues},
		{"a column that somebody has changed", historyOfHandEdits},
		{"what is only announced again", historyOfAnnouncements},
		{"neighbours", neighbours},
		{"findings", findingsOfALead},
		{"a transaction that fails", historyTogether}, // the last: it spoils the outbox
	} {
		t.Run(c.name, func(t *testing.T) { m.with(t, c.test) })
	}
}

// past is the history of a lead, the newest first, as text.
func (m *mirror) past(db *repo.DB, id int64) []string {
	m.t.Helper()
	list, err := db.Changes(m.ctx, leads.Ref{MemberID: member, LeadID: id}, 100)
	m.must(err)
	var lines []string
	for _, c := range list {
		words := []string{fmt.Sprintf("%d %s %s", c.Revision, c.Kind, c.Cause)}
		for _, f := range c.Fields {
			if f.Old != nil {
				f.Field += "=" + *f.Old + ">" + *f.New
			}
			words = append(words, f.Field)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func (m *mirror) wantPast(db *repo.DB, id int64, want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, m.past(db, id)); diff != "" {
		m.t.Errorf("history of lead %d (-want +got):\n%s", id, diff)
	}
}

func historyOfOne(m *mirror) {
	if at, err := m.LastChange(m.ctx); err != nil || !at.IsZero() {
		m.t.Errorf("the last of no changes: %s, %v", at, err)
	}
	m.apply(present(m.t, 1, 1, "a"))
	m.apply(present(m.t, 2, 1, "a")) // nothing changed
	m.apply(present(m.t, 3, 1, "b"))
	m.apply(present(m.t, 2, 1, "c")) // older
	m.apply(proven(4, 1))
	m.apply(present(m.t, 5, 1, "d"))
	m.wantPast(m.DB, 1, "4 added event", "3 deleted reconcile", "2 updated event TITLE", "1 added event")
	list, err := m.Changes(m.ctx, leads.Ref{MemberID: member, LeadID: 1}, 1)
	m.must(err)
	if len(list) != 1 || !list[0].At.Equal(m.clock.Now()) {
		m.t.Errorf("the newest: %+v, want that of %s", list, m.clock.Now())
	}
	if at, err := m.LastChange(m.ctx); err != nil || !at.Equal(m.clock.Now()) {
		m.t.Errorf("the last change: %s, %v", at, err)
	}
}

func historyOfMany(m *mirror) {
	const many = 70
	m.applyMany(1, many, "one")
	m.applyMany(2, many, "two")
	var gone []leads.Snapshot
	for id := int64(1); id <= many; id++ {
		gone = append(gone, proven(3, 100+id))
	}
	m.apply(gone...)
	for _, id := range []int64{101, 100 + many} {
		m.wantPast(m.DB, id, "3 deleted reconcile", "2 updated event TITLE", "1 added event")
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_changes WHERE lead_id > 100"); n != "210" {
		m.t.Errorf("%s rows, want three of each of %d leads", n, many)
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_lead_changes WHERE lead_id > 100 AND field = 'TITLE' AND change_kind = 'updated'"); n != "70" {
		m.t.Errorf("the view has %s titles, want one of each of %d leads", n, many)
	}
}

// applyMany applies leads 101 and following with this title.
func (m *mirror) applyMany(ticket leads.Ticket, count int64, title string) {
	m.t.Helper()
	var list []leads.Snapshot
	for id := int64(1); id <= count; id++ {
		list = append(list, present(m.t, ticket, 100+id, title))
	}
	m.apply(list...)
}

func historyWithValues(m *mirror) {
	db := m.again(repo.Config{HistoryValues: true})
	apply := func(ticket leads.Ticket, ids []int64, fields map[string]any) {
		m.t.Helper()
		var list []leads.Snapshot
		for _, id := range ids {
			list = append(list, seen(ticket, card(m.t, id, fields)))
		}
		_, err := db.Apply(m.ctx, list)
		m.must(err)
	}
	many := make([]int64, 60)
	for i := range many {
		many[i] = int64(201 + i)
	}
	for first, ids := range map[int64][]int64{200: {200}, 201: many} {
		apply(1, ids, map[string]any{"TITLE": "Заявка «1»", "PHONE": []any{phone("1", "+7 912")}, "UF_CRM_1": "1"})
		apply(2, ids, map[string]any{"TITLE": `<b>"&\`, "PHONE": []any{phone("1", "+7 912"), phone("2", "+7 913")}, "UF_CRM_1": nil})
		m.wantPast(db, first, `2 updated event PHONE=+7 912>+7 912, +7 913 TITLE=Заявка «1»><b>"&\ UF_CRM_1=1>`, "1 added event")
	}
	long := strings.Repeat("ж", 5000)
	apply(3, []int64{200}, map[string]any{"TITLE": `<b>"&\`, "COMMENTS": long})
	list, err := db.Changes(m.ctx, leads.Ref{MemberID: member, LeadID: 200}, 1)
	m.must(err)
	for _, f := range list[0].Fields {
		if f.Field == "COMMENTS" && (*f.Old != "" || *f.New != long[:8000]) {
			m.t.Errorf("comments: %d and %d bytes, want 4,000 letters", len(*f.Old), len(*f.New))
		}
	}
	if m.Dialect() == "sqlite" || !m.babelfish() { // it does not undo JSON's escapes
		got := m.text("SELECT new_value FROM bitrix_lead_changes WHERE lead_id = 200 AND revision = 2 AND field = 'TITLE'")
		if got != `<b>"&\` {
			m.t.Errorf("the view shows %q", got)
		}
	}
}

func historyOfHandEdits(m *mirror) {
	db := m.again(repo.Config{HistoryValues: true})
	m.apply(present(m.t, 1, 300, "portal"))
	m.exec("UPDATE bitrix_leads SET sql_TITLE = 'by hand' WHERE sql_ID = 300")
	forced := present(m.t, 2, 300, "portal")
	forced.Force = true
	_, err := db.Apply(m.ctx, []leads.Snapshot{forced})
	m.must(err)
	m.wantPast(db, 300, "2 updated event TITLE=by hand>portal", "1 added event")
}

func historyOfAnnouncements(m *mirror) {
	m.apply(present(m.t, 1, 400, "a"))
	raised, err := m.RaiseRevisions(m.ctx, member, []leads.OnTopic{{LeadID: 400, Revision: 9}})
	m.must(err)
	again, err := m.Reannounce(m.ctx, member, []int64{400}, time.Time{})
	m.must(err)
	if raised != 1 || again != 1 {
		m.t.Fatalf("raised %d, announced %d; want one each", raised, again)
	}
	m.wantPast(m.DB, 400, "1 added event")
	m.apply(present(m.t, 2, 400, "b"))
	m.wantPast(m.DB, 400, "11 updated event TITLE", "1 added event")
}

// historyTogether wants no history of a row that was not written.
func historyTogether(m *mirror) {
	before := m.text("SELECT COUNT(*) FROM leadsync_changes")
	m.exec("ALTER TABLE " + m.on("leadsync_outbox", "dbo.leadsync_outbox") + " ADD must_be_given " + m.on("TEXT", "nvarchar(10)") +
		" NOT NULL DEFAULT 'x' CHECK (must_be_given <> 'x')")
	outcomes, err := m.Apply(m.ctx, []leads.Snapshot{present(m.t, 1, 500, "refused")})
	if err == nil && outcomes[0].Verdict != leads.Failed {
		m.t.Errorf("%s without an outbox", outcomes[0].Verdict)
	}
	if after := m.text("SELECT COUNT(*) FROM leadsync_changes"); after != before {
		m.t.Errorf("%s rows, want %s as before", after, before)
	}
}

func neighbours(m *mirror) {
	for id, created := range map[int64]string{10: "2026-11-23T10:00:00+03:00", 20: "2026-11-23T11:00:00+03:00", 30: ""} {
		lead := seen(1, card(m.t, id, map[string]any{"TITLE": "x", "DATE_CREATE": created}))
		lead.MemberID = other
		m.apply(lead)
	}
	for id, want := range map[int64]string{5: "0 10", 15: "10 20", 20: "10 30", 31: "30 0"} {
		below, above, err := m.Around(m.ctx, leads.Ref{MemberID: other, LeadID: id})
		m.must(err)
		if got := fmt.Sprintf("%d %d", below.LeadID, above.LeadID); got != want {
			m.t.Errorf("around %d: %s, want %s", id, got, want)
		}
	}
	below, _, err := m.Around(m.ctx, leads.Ref{MemberID: other, LeadID: 15})
	m.must(err)
	if want := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC); !below.CreatedAt.Equal(want) {
		m.t.Errorf("created at %s, want %s", below.CreatedAt, want)
	}
}

func findingsOfALead(m *mirror) {
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}))
	first := m.ran(member, leads.RunFull, leads.RunCompleted, false, leads.Updated, leads.Inserted)
	second := m.ran(member, leads.RunFull, leads.RunCompleted, false, leads.Failed)
	found, err := m.FindingsOf(m.ctx, leads.Ref{MemberID: member, LeadID: 1}, 10)
	m.must(err)
	if len(found) != 2 || found[0].RunID != second || found[1].RunID != first {
		m.t.Errorf("findings of lead 1: %+v, want one of each run, the newer first", found)
	}
}

// pruneChanges wants the old ones to go and nothing to be looked at behind the young ones. A
// whole batch of a clock that was years ahead is before them.
func pruneChanges(m *mirror) {
	m.exec("DELETE FROM leadsync_changes")
	m.applyMany(1, 1000, "ahead")
	m.exec("UPDATE leadsync_changes SET changed_at = '2046-01-01T00:00:00.000Z', change_kind = 'ahead'")
	m.applyMany(2, 10, "old")
	m.clock.Advance(10 * day)
	m.applyMany(3, 10, "new")
	gone := map[string]int64{}
	m.must(m.Prune(m.ctx, repo.Pruning{Changes: m.clock.Now().Add(-day), Deleted: func(table string, rows int64) { gone[table] += rows }}))
	if diff := cmp.Diff(map[string]int64{"leadsync_changes": 10}, gone); diff != "" {
		m.t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_changes WHERE change_kind = 'updated'"); n != "10" {
		m.t.Errorf("%s are left, want those of the last day", n)
	}
}
