package repotest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func applying(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{SolutionField: "UF_CRM_SOLUTION"})
	t.Run("a new lead is inserted whole", func(t *testing.T) { m.with(t, insertWhole) })
	t.Run("the same again writes nothing", func(t *testing.T) { m.with(t, sameAgain) })
	t.Run("only a higher ticket is accepted", func(t *testing.T) { m.with(t, onlyHigher) })
	t.Run("an unchanged read raises the ticket", func(t *testing.T) { m.with(t, unchangedRaises) })
	t.Run("a change names its fields", func(t *testing.T) { m.with(t, changedFields) })
	t.Run("the highest ticket of a batch counts", func(t *testing.T) { m.with(t, duplicates) })
	t.Run("contacts are replaced as a set", func(t *testing.T) { m.with(t, contactsReplaced) })
	t.Run("the solution follows its field", func(t *testing.T) { m.with(t, solution) })
	t.Run("portals do not mix", func(t *testing.T) { m.with(t, twoPortals) })
	t.Run("more leads than one transaction takes", func(t *testing.T) { m.with(t, manyLeads) })
	t.Run("a hash of another version is renewed silently", func(t *testing.T) { m.with(t, otherHash) })
	t.Run("a row without a card reports all fields", func(t *testing.T) { m.with(t, adoptedRow) })
	t.Run("nothing to apply", func(t *testing.T) { m.with(t, func(m *mirror) { m.apply() }) })
}

// with runs one of several tests on the same database; each uses its own lead ids.
func (m *mirror) with(t *testing.T, test func(*mirror)) {
	t.Helper()
	mine := *m
	mine.t, mine.ctx = t, t.Context()
	mine.drain()
	test(&mine)
}

func insertWhole(m *mirror) {
	lead := card(m.t, 100, map[string]any{
		"TITLE": "Первый", "OPPORTUNITY": "15000.00", "COMPANY_ID": "0", "ASSIGNED_BY_ID": "7",
		"DATE_CREATE": "2021-05-31T23:30:16+05:00", "DATE_CLOSED": "", "PHONE": []any{phone("1", "+7 900 000-00-01")},
	})
	outcome := m.verdict(leads.Inserted, seen(5, lead))
	if outcome.Revision != 1 {
		m.t.Errorf("revision %d, want 1", outcome.Revision)
	}
	want := []string{"ASSIGNED_BY_ID", "DATE_CREATE", "OPPORTUNITY", "PHONE", "TITLE"}
	if diff := cmp.Diff(want, outcome.Changed); diff != "" {
		m.t.Errorf("changed (-want +got):\n%s", diff)
	}
	row := m.row(member, 100)
	if row.Ticket != 5 || row.Revision != 1 || row.Deleted || row.Hash != lead.Hash() {
		m.t.Errorf("row has ticket %d, revision %d, deleted %v, hash %s", row.Ticket, row.Revision, row.Deleted, row.Hash)
	}
	if names := row.Differences(&lead); names != nil {
		m.t.Errorf("row differs from its card in %v", names)
	}
	if got := column(row, "DATE_CREATE"); got != "2021-05-31T23:30:16" {
		m.t.Errorf("DATE_CREATE is %s, want the portal's wall clock", got)
	}
	exact := m.text(m.on("SELECT date_create_at FROM bitrix_leads WHERE sql_ID = 100",
		"SELECT CONVERT(nvarchar(19), CONVERT(datetime2(0), date_create_at), 126) FROM bitrix_leads WHERE sql_ID = 100"))
	if strings.Replace(exact, " ", "T", 1)[:19] != "2021-05-31T18:30:16" {
		m.t.Errorf("date_create_at is %s, want the instant in UTC", exact)
	}
	if got := m.text("SELECT sql_COMPANY_ID FROM bitrix_leads WHERE sql_ID = 100"); got != "<null>" {
		m.t.Errorf("COMPANY_ID 0 is stored as %q, want NULL", got)
	}
}

func sameAgain(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 5, 101, "one"))
	m.drain()
	before := m.text(m.on("SELECT read_at FROM bitrix_leads WHERE sql_ID = 101",
		"SELECT CONVERT(nvarchar(40), read_at, 126) FROM bitrix_leads WHERE sql_ID = 101"))
	same := seen(6, card(m.t, 101, map[string]any{"TITLE": "one", "NAME": nil, "CONTACT_ID": "0", "LAST_ACTIVITY_BY": "3"}))
	if o := m.verdict(leads.Unchanged, same); o.Revision != 1 || o.Changed != nil || o.Wrote() {
		m.t.Errorf("outcome %+v", o)
	}
	after := m.text(m.on("SELECT read_at FROM bitrix_leads WHERE sql_ID = 101",
		"SELECT CONVERT(nvarchar(40), read_at, 126) FROM bitrix_leads WHERE sql_ID = 101"))
	if before != after {
		m.t.Errorf("read_at went from %s to %s", before, after)
	}
	if got := m.changes(); got != nil {
		m.t.Errorf("announced %+v", got)
	}
}

func onlyHigher(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 5, 102, "five"))
	for _, ticket := range []leads.Ticket{5, 4, 1} {
		if o := m.verdict(leads.Older, present(m.t, ticket, 102, "older")); o.Revision != 1 {
			m.t.Errorf("revision %d, want the row's", o.Revision)
		}
		m.verdict(leads.Older, proven(ticket, 102))
		m.verdict(leads.Older, unseen(ticket, 102, leads.Denied))
	}
	if got := column(m.row(member, 102), "TITLE"); got != "five" {
		m.t.Errorf("title is %q", got)
	}
	m.verdict(leads.Updated, present(m.t, 6, 102, "six"))
}

func unchangedRaises(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 5, 103, "A"))
	m.verdict(leads.Unchanged, present(m.t, 10, 103, "A"))
	m.verdict(leads.Older, present(m.t, 7, 103, "B"))
	if got := column(m.row(member, 103), "TITLE"); got != "A" {
		m.t.Errorf("title is %q, want A, the portal's last", got)
	}
}

func changedFields(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 104, map[string]any{"TITLE": "a", "NAME": "b", "UF_CRM_X": "1", "EMAIL": []any{
		map[string]any{"ID": "1", "VALUE": "a@example.org", "VALUE_TYPE": "WORK"},
	}})))
	o := m.verdict(leads.Updated, seen(2, card(m.t, 104, map[string]any{
		"TITLE": "a", "NAME": "", "UF_CRM_X": []any{"1", "2"}, "UF_CRM_Y": true, "POST": "chief",
	})))
	if diff := cmp.Diff([]string{"EMAIL", "NAME", "POST", "UF_CRM_X", "UF_CRM_Y"}, o.Changed); diff != "" {
		m.t.Errorf("changed (-want +got):\n%s", diff)
	}
	if o.Revision != 2 {
		m.t.Errorf("revision %d, want 2", o.Revision)
	}
}

func duplicates(m *mirror) {
	outcomes := m.apply(
		present(m.t, 2, 105, "two"), present(m.t, 4, 105, "four"), present(m.t, 1, 106, "alone"),
		present(m.t, 3, 105, "three"), present(m.t, 4, 105, "four"))
	var got []leads.Verdict
	for _, o := range outcomes {
		got = append(got, o.Verdict)
	}
	want := []leads.Verdict{leads.Older, leads.Inserted, leads.Inserted, leads.Older, leads.Older}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if got := column(m.row(member, 105), "TITLE"); got != "four" {
		m.t.Errorf("title is %q, want that of the highest ticket", got)
	}
	if n := len(m.changes()); n != 2 {
		m.t.Errorf("%d announcements of two leads", n)
	}
}

func contactsReplaced(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 107, map[string]any{"PHONE": []any{phone("1", "111"), phone("2", "222")}})))
	m.verdict(leads.Inserted, seen(1, card(m.t, 108, map[string]any{"PHONE": []any{phone("9", "999")}})))
	lead := card(m.t, 107, map[string]any{"PHONE": []any{phone("2", "222-2"), phone("3", "333")}})
	o := m.verdict(leads.Updated, seen(2, lead))
	if diff := cmp.Diff([]string{"PHONE"}, o.Changed); diff != "" {
		m.t.Errorf("changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(lead.Contacts, m.row(member, 107).Contacts); diff != "" {
		m.t.Errorf("contacts (-want +got):\n%s", diff)
	}
	m.verdict(leads.Updated, seen(3, card(m.t, 107, nil)))
	if got := m.row(member, 107).Contacts; got != nil {
		m.t.Errorf("contacts %v, want none", got)
	}
	if got := m.row(member, 108).Contacts; len(got) != 1 {
		m.t.Errorf("contacts of another lead: %v", got)
	}
}

func solution(m *mirror) {
	read := "SELECT MAX(sql_solution) FROM bitrix_lead_solution WHERE sql_LEAD_ID = 109"
	for i, c := range []struct {
		field any
		want  string
	}{
		{"Коробка", "Коробка"},
		{[]any{"a", 7}, "a, 7"},
		{false, "<null>"},
		{12.5, "12.5"},
		{map[string]any{"id": 1}, `{"id":"1"}`},
		{nil, "<null>"},
		{true, "1"},
	} {
		m.apply(seen(leads.Ticket(i+1), card(m.t, 109, map[string]any{"UF_CRM_SOLUTION": c.field})))
		if got := m.text(read); got != c.want {
			m.t.Errorf("solution of %v is %q, want %q", c.field, got, c.want)
		}
	}
	m.verdict(leads.Deleted, proven(99, 109))
	if got := m.text("SELECT COUNT(*) FROM bitrix_lead_solution WHERE sql_LEAD_ID = 109"); got != "0" {
		m.t.Errorf("%s solutions of a deleted lead", got)
	}
}

func twoPortals(m *mirror) {
	here, there := present(m.t, 5, 110, "here"), present(m.t, 3, 110, "there")
	there.MemberID = other
	m.apply(there, here)
	if a, b := column(m.row(member, 110), "TITLE"), column(m.row(other, 110), "TITLE"); a != "here" || b != "there" {
		m.t.Errorf("titles %q and %q", a, b)
	}
	gone := proven(9, 110)
	gone.MemberID = other
	m.verdict(leads.Deleted, gone)
	if m.row(member, 110).Deleted {
		m.t.Error("deleted in one portal, missing in both")
	}
}

func manyLeads(m *mirror) {
	const n = 2345
	snapshots := make([]leads.Snapshot, n)
	for i := range snapshots {
		snapshots[i] = present(m.t, 1, int64(10_000+i), fmt.Sprint("lead ", i))
	}
	for i, o := range m.apply(snapshots...) {
		if o.Verdict != leads.Inserted {
			m.t.Fatalf("lead %d: %s", i, o.Verdict)
		}
	}
	depth, err := m.OutboxDepth(m.ctx)
	if err != nil || depth != n {
		m.t.Errorf("%d announcements (%v), want %d", depth, err, n)
	}
}

func otherHash(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 111, "same"))
	m.drain()
	m.exec("UPDATE bitrix_leads SET row_hash = 'v0:123' WHERE sql_ID = 111")
	if o := m.verdict(leads.Unchanged, present(m.t, 2, 111, "same")); o.Revision != 1 {
		m.t.Errorf("revision %d, want 1", o.Revision)
	}
	same := present(m.t, 2, 111, "same")
	if got := m.row(member, 111).Hash; got != same.Lead.Hash() {
		m.t.Errorf("hash is still %q", got)
	}
	m.exec("UPDATE bitrix_leads SET row_hash = 'v0:123' WHERE sql_ID = 111")
	o := m.verdict(leads.Updated, present(m.t, 3, 111, "other"))
	if diff := cmp.Diff([]string{"TITLE"}, o.Changed); diff != "" {
		m.t.Errorf("changed (-want +got):\n%s", diff)
	}
	if n := len(m.changes()); n != 1 {
		m.t.Errorf("%d announcements, want one for the true change", n)
	}
}

func adoptedRow(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 112, "old"))
	m.exec("UPDATE bitrix_leads SET row_hash = NULL, raw_json = NULL, read_ticket = 0 WHERE sql_ID = 112")
	o := m.verdict(leads.Updated, seen(1, card(m.t, 112, map[string]any{"TITLE": "old", "NAME": "N"})))
	if diff := cmp.Diff([]string{"NAME", "TITLE"}, o.Changed); diff != "" {
		m.t.Errorf("changed (-want +got):\n%s", diff)
	}
}
