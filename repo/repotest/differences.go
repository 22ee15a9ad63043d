package repotest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// differences wants an edit to write only those rows of the side tables that it changes.
func differences(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{SolutionField: "UF_CRM_A"})
	m.refill(m.DB, "leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution")
	t.Run("an edit of the title writes no other table", func(t *testing.T) { m.with(t, titleAlone) })
	t.Run("what is gone is deleted and what is new inserted", func(t *testing.T) { m.with(t, goneAndNew) })
	t.Run("in a large batch, too", func(t *testing.T) { m.with(t, differencesInBatch) })
	t.Run("a deleted lead keeps nothing", func(t *testing.T) { m.with(t, deletedKeepsNothing) })
	t.Run("rows by hand and rows twice", func(t *testing.T) { m.with(t, strayRows) })
	t.Run("rows by hand of leads that are imported", func(t *testing.T) { m.with(t, strayRowsOfAnImport) })
	t.Run("special characters", func(t *testing.T) { m.with(t, specialCharacters) })
}

// full is a card with a row in each table.
func (m *mirror) full(id int64, title string, phones ...string) leads.Lead {
	m.t.Helper()
	var list []any
	for _, p := range phones {
		list = append(list, phone("1"+p[len(p)-2:], p))
	}
	return card(m.t, id, map[string]any{"TITLE": title, "PHONE": list, "UF_CRM_A": "a", "UF_CRM_B": []any{"b", "c"}})
}

// keysOf returns the ids of a lead's rows beside bitrix_leads.
func (m *mirror) keysOf(id string) string {
	m.t.Helper()
	return strings.Join(m.report([]string{"Id", "sql_VALUE"}, "bitrix_lead_contacts WHERE sql_LEAD_ID = "+id+" ORDER BY Id"), " ") + "; " +
		strings.Join(m.report([]string{"id", "digits10"}, "leadsync_phones WHERE lead_id = "+id+" ORDER BY id"), " ") + "; " +
		strings.Join(m.report([]string{"Id", "sql_solution"}, "bitrix_lead_solution WHERE sql_LEAD_ID = "+id+" ORDER BY Id"), " ")
}

const first, second, third = "8 912 345-01-15", "8 912 345-01-16", "8 912 345-01-17"

func titleAlone(m *mirror) {
	m.verdict(leads.Inserted, seen(1, m.full(1, "a", first, second)))
	before, last := m.keysOf("1"), m.text("SELECT MAX(Id) FROM bitrix_lead_contacts")
	m.verdict(leads.Updated, seen(2, m.full(1, "b", first, second)))
	if after := m.keysOf("1"); after != before {
		m.t.Errorf("rows were written again:\n%s\n%s", before, after)
	}
	m.verdict(leads.Inserted, seen(3, m.full(2, "a", third)))
	next := m.text("SELECT MAX(Id) FROM bitrix_lead_contacts")
	if want := m.text("SELECT " + last + " + 1"); next != want {
		m.t.Errorf("the next contact has the id %s after %s: ids were used up", next, last)
	}
}

func goneAndNew(m *mirror) {
	m.verdict(leads.Inserted, seen(1, m.full(3, "a", first, second)))
	kept := m.text("SELECT Id FROM bitrix_lead_contacts WHERE sql_LEAD_ID = 3 AND sql_VALUE = '" + first + "'")
	m.verdict(leads.Updated, seen(2, m.full(3, "a", first, third)))
	if got := m.text("SELECT Id FROM bitrix_lead_contacts WHERE sql_LEAD_ID = 3 AND sql_VALUE = '" + first + "'"); got != kept {
		m.t.Errorf("the contact that stays has the id %s, had %s", got, kept)
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_lead_contacts WHERE sql_LEAD_ID = 3 AND sql_VALUE = '" + second + "'"); n != "0" {
		m.t.Errorf("the contact that is gone is there %s times", n)
	}
	for i, lead := range []leads.Lead{
		m.full(3, "c", second, third),
		card(m.t, 3, map[string]any{"TITLE": "c", "UF_CRM_B": []any{"c", "b", "d"}}),
		card(m.t, 3, map[string]any{"TITLE": "c"}),
	} {
		m.verdict(leads.Updated, seen(leads.Ticket(i+3), lead))
		row := m.row(member, 3)
		if names := row.Differences(&lead); names != nil {
			m.t.Errorf("the row differs in %v", names)
		}
	}
}

func differencesInBatch(m *mirror) {
	batch := func(ticket leads.Ticket, title string, phones ...string) (list []leads.Snapshot) {
		for id := int64(100); id < 160; id++ {
			list = append(list, seen(ticket, m.full(id, title, phones...)))
		}
		return list
	}
	m.apply(batch(1, "a", first, second)...)
	before := m.keysOf("120")
	m.apply(batch(2, "b", first, second)...)
	if after := m.keysOf("120"); after != before {
		m.t.Errorf("rows were written again:\n%s\n%s", before, after)
	}
	m.apply(batch(3, "b", second, third)...)
	for _, id := range []int64{100, 159} {
		lead, row := m.full(id, "b", second, third), m.row(member, id)
		if names := row.Differences(&lead); names != nil {
			m.t.Errorf("lead %d differs in %v", id, names)
		}
	}
}

func deletedKeepsNothing(m *mirror) {
	m.verdict(leads.Inserted, seen(1, m.full(5, "a", first)))
	m.verdict(leads.Deleted, proven(2, 5))
	if got := m.keysOf("5"); got != "; ; " {
		m.t.Errorf("left: %s", got)
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_lead_fields WHERE lead_id = 5"); n != "0" {
		m.t.Errorf("%s custom fields are left", n)
	}
}

// strayRows has contacts without a lead, and a contact twice.
func strayRows(m *mirror) {
	stray := "INSERT INTO bitrix_lead_contacts (member_id, sql_LEAD_ID, sql_CONTACT_ID, sql_VALUE_TYPE, sql_VALUE, sql_TYPE_ID) VALUES ('" +
		member + "', 6, '115', 'WORK', '" + first + "', 'PHONE')"
	m.exec(stray)
	m.exec(stray)
	m.exec(strings.Replace(stray, first, third, 1))
	m.verdict(leads.Inserted, seen(1, m.full(6, "a", first, second)))
	if got := m.report([]string{"sql_VALUE"}, "bitrix_lead_contacts WHERE sql_LEAD_ID = 6 ORDER BY sql_VALUE"); len(got) != 2 {
		m.t.Errorf("contacts: %v", got)
	}
}

// strayRowsOfAnImport imports leads that are all new, and one of them has a row beside it, in
// one table after the other.
func strayRowsOfAnImport(m *mirror) {
	for i, stray := range []string{
		"bitrix_lead_contacts (member_id, sql_LEAD_ID, sql_VALUE) VALUES ('" + member + "', %d, 'stray')",
		"leadsync_phones (member_id, lead_id, digits10, position, repeated, closed) VALUES ('" + member + "', %d, '9990000000', 9, 0, 0)",
		"leadsync_lead_fields (member_id, lead_id, field, position, value) VALUES ('" + member + "', %d, 'UF_CRM_B', 9, 'stray')",
		"bitrix_lead_solution (member_id, sql_LEAD_ID, sql_solution) VALUES ('" + member + "', %d, 'stray')",
	} {
		from := int64(1000 * (i + 1))
		of := from + 30
		m.exec("INSERT INTO " + fmt.Sprintf(stray, of))
		var batch []leads.Snapshot
		for id := from; id < from+60; id++ {
			batch = append(batch, seen(1, m.full(id, "a", first)))
		}
		m.apply(batch...)
		for table, count := range map[string]int{
			"bitrix_lead_contacts WHERE sql_LEAD_ID": 1, "leadsync_phones WHERE lead_id": 1,
			"leadsync_lead_fields WHERE lead_id": 3, "bitrix_lead_solution WHERE sql_LEAD_ID": 1,
		} {
			if got := m.text(fmt.Sprintf("SELECT COUNT(*) FROM %s = %d", table, of)); got != strconv.Itoa(count) {
				m.t.Errorf("%s = %d: %s rows, want %d", table, of, got, count)
			}
		}
	}
}

// specialCharacters has values with all that lists of rows have to encode.
func specialCharacters(m *mirror) {
	for i, value := range []string{
		`ООО "Ромашка" \ ^q ^^ ^0q`, "a\r\nb\tc", "a\x01\x1fb", "🙂" + strings.Repeat("ж", 1990), strings.Repeat("\"", 2000), "<&> '",
	} {
		lead := card(m.t, 7, map[string]any{
			"TITLE": value, "COMMENTS": value, "UF_CRM_A": value, "UF_CRM_B": []any{value, "x"},
			"EMAIL": []any{map[string]any{"ID": value[:1], "VALUE_TYPE": "WORK", "VALUE": value, "TYPE_ID": "EMAIL"}},
		})
		m.apply(seen(leads.Ticket(i+1), lead))
		row := m.row(member, 7)
		if names := row.Differences(&lead); names != nil {
			m.t.Errorf("%.20q: the row differs in %v", value, names)
		}
		if got := m.text("SELECT sql_solution FROM bitrix_lead_solution WHERE sql_LEAD_ID = 7"); got != value {
			m.t.Errorf("%.20q: the solution is %.20q", value, got)
		}
	}
}
