package repotest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"leadsync/leads"
	"leadsync/repo"
)

func sideTables(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{SolutionField: "UF_CRM_A"})
	m.servePortal(member, "one.bitrix24.ru")
	t.Run("tables are filled again for new settings", func(t *testing.T) { m.with(t, refilled) })
	t.Run("solutions of a former program stay", func(t *testing.T) { m.with(t, formerSolutions) })
	t.Run("rows edited by hand are found and repaired", func(t *testing.T) { m.with(t, sidesMended) })
	t.Run("tables being filled are not compared", func(t *testing.T) { m.with(t, sidesUnknown) })
	t.Run("an interrupted refill starts again", func(t *testing.T) { m.with(t, refillCutShort) })
	t.Run("a value cut by a refill is marked", func(t *testing.T) { m.with(t, refillMarks) })
	t.Run("leads that were never read", func(t *testing.T) { m.with(t, neverRead) })
	t.Run("a refill during an erasure restores nothing", func(t *testing.T) { m.with(t, refillWhileErasing) })
	t.Run("other settings are reported", func(t *testing.T) { m.with(t, otherRules) })
}

// side is a card with values for every side table.
func (m *mirror) side(id int64) leads.Lead {
	m.t.Helper()
	return card(m.t, id, map[string]any{
		"UF_CRM_A": []any{"a", "ещё"}, "UF_CRM_B": "b", "DATE_CREATE": "2021-05-31T15:10:16+02:00", "DATE_MODIFY": "2021-05-31T15:10:17+02:00", "PHONE": []any{phone("1", "8 912 345-01-15 доб. 7, 8 912 345-01-16")},
	})
}

// solutions returns the rows of bitrix_lead_solution with their leads.
func (m *mirror) solutions() string {
	m.t.Helper()
	return strings.Join(m.report([]string{"sql_LEAD_ID", "sql_solution"}, "bitrix_lead_solution ORDER BY sql_LEAD_ID"), " ")
}

// refill refills like a service at its start, and wants it to fill these tables.
func (m *mirror) refill(db *repo.DB, want ...string) {
	m.t.Helper()
	tables, err := db.Refill(m.ctx)
	if err != nil || !slices.Equal(tables, want) {
		m.t.Errorf("filled again: %v, %v; want %v", tables, err, want)
	}
}

func refilled(m *mirror) {
	m.refill(m.DB, "leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution")
	m.refill(m.DB)
	m.apply(seen(1, m.side(1)), seen(1, card(m.t, 2, map[string]any{"UF_CRM_B": "второй"})), seen(1, m.side(3)))
	m.verdict(leads.Deleted, proven(2, 3))
	for _, c := range []struct{ field, want string }{
		{"UF_CRM_B", "[1 b] [2 второй]"}, // another field
		{"", ""},                         // no field
		{"UF_CRM_A", "[1 a, ещё]"},       // the first field again
	} {
		db := m.again(repo.Config{SolutionField: c.field})
		m.refill(db, "bitrix_lead_solution")
		if got := m.solutions(); got != c.want {
			m.t.Errorf("with %q: %s, want %s", c.field, got, c.want)
		}
		m.refill(db)
	}
	before := m.values(member, 1)
	m.exec("DELETE FROM leadsync_lead_fields")
	m.exec("DELETE FROM leadsync_settings")
	m.refill(m.DB, "leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution")
	if diff := cmp.Diff(before, m.values(member, 1)); diff != "" {
		m.t.Errorf("custom fields (-before +after):\n%s", diff)
	}
}

// formerSolutions has an adopted row that was never read.
func formerSolutions(m *mirror) {
	m.exec("INSERT INTO bitrix_leads (sql_ID, member_id, read_ticket, revision) VALUES (9, '" + member + "', 0, 0)")
	m.exec("INSERT INTO bitrix_lead_solution (sql_LEAD_ID, sql_solution, member_id) VALUES (9, 'former', '" + member + "')")
	for _, field := range []string{"", "UF_CRM_A"} {
		m.refill(m.again(repo.Config{SolutionField: field}), "bitrix_lead_solution")
		if got := m.solutions(); !strings.Contains(got, "[9 former]") {
			m.t.Errorf("with %q: %s", field, got)
		}
	}
	m.verdict(leads.Updated, seen(1, m.side(9)))
	if got := m.solutions(); !strings.Contains(got, "[9 a, ещё]") || strings.Contains(got, "former") {
		m.t.Errorf("read: %s", got)
	}
}

func sidesMended(m *mirror) {
	lead := m.side(20)
	m.verdict(leads.Inserted, seen(1, lead))
	rows := func() string {
		return m.solutions() + strings.Join(m.values(member, 20), " ") + strings.Join(m.numbers(20), " ")
	}
	right := rows()
	for i, c := range []struct {
		damage string
		want   []string
	}{
		{"DELETE FROM leadsync_phones WHERE lead_id = 20", []string{"PHONE"}},
		{"UPDATE leadsync_phones SET extension = NULL WHERE lead_id = 20", []string{"PHONE"}},
		{"UPDATE leadsync_phones SET closed = 1 WHERE lead_id = 20", []string{"PHONE"}},
		{"UPDATE leadsync_phones SET created_at = NULL WHERE lead_id = 20", []string{"PHONE"}},
		{"UPDATE leadsync_phones SET position = position + 1 WHERE lead_id = 20", []string{"PHONE"}},
		{"UPDATE bitrix_leads SET date_create_at = NULL WHERE sql_ID = 20", []string{"DATE_CREATE"}},
		{"UPDATE bitrix_leads SET date_modify_at = NULL WHERE sql_ID = 20", []string{"DATE_MODIFY"}},
		{"DELETE FROM leadsync_lead_fields WHERE lead_id = 20 AND position = 1", []string{"UF_CRM_A"}},
		{"UPDATE leadsync_lead_fields SET value = 'x' WHERE lead_id = 20 AND field = 'UF_CRM_B'", []string{"UF_CRM_B"}},
		{"DELETE FROM bitrix_lead_solution WHERE sql_LEAD_ID = 20", []string{"UF_CRM_A"}},
		{"INSERT INTO bitrix_lead_solution (sql_LEAD_ID, sql_solution, member_id) VALUES (20, 'x', '" + member + "')", []string{"UF_CRM_A"}},
	} {
		m.exec(c.damage)
		found, err := m.Range(m.ctx, member, 19, 20, 1)
		m.must(err)
		if diff := cmp.Diff(c.want, found[0].Differences(&lead)); diff != "" {
			m.t.Errorf("%s: the range differs (-want +got):\n%s", c.damage, diff)
		}
		row := m.row(member, 20)
		if diff := cmp.Diff(c.want, row.Differences(&lead)); diff != "" {
			m.t.Errorf("%s: the row differs (-want +got):\n%s", c.damage, diff)
		}
		forced := seen(leads.Ticket(i+2), lead)
		forced.Force = true
		if o := m.verdict(leads.Updated, forced); !slices.Equal(o.Changed, c.want) {
			m.t.Errorf("%s: announced as a change of %v", c.damage, o.Changed)
		}
		if got := rows(); got != right {
			m.t.Errorf("%s: mended to %s, want %s", c.damage, got, right)
		}
	}
}

// numbers returns a lead's rows of leadsync_phones.
func (m *mirror) numbers(id int64) []string {
	m.t.Helper()
	return m.report([]string{"digits10", "e164", "extension", "repeated", "contact_id", "position", "closed", "created_at"}, "leadsync_phones WHERE lead_id = "+
		m.text(m.on("SELECT CAST(@id AS TEXT)", "SELECT CONVERT(nvarchar(20), @id)"), sqlID(id))+" ORDER BY position")
}

func sidesUnknown(m *mirror) {
	lead := m.side(30)
	m.verdict(leads.Inserted, seen(1, lead))
	m.exec("DELETE FROM leadsync_phones WHERE lead_id = 30")
	starting := m.again(repo.Config{SolutionField: "UF_CRM_A", PhoneRegion: "BY"})
	row, _, err := starting.Row(m.ctx, leads.Ref{MemberID: member, LeadID: 30})
	if got := row.Differences(&lead); err != nil || got != nil {
		m.t.Errorf("differs in %v, %v; it is being filled", got, err)
	}
}

// refillCutShort interrupts a refill for new settings and then uses the former settings
// again.
func refillCutShort(m *mirror) {
	for id := int64(1000); id < 1500; id++ {
		m.apply(seen(1, card(m.t, id, map[string]any{"UF_CRM_A": "a", "UF_CRM_B": "b"})))
	}
	count := func(value string) string {
		return m.text("SELECT COUNT(*) FROM bitrix_lead_solution WHERE sql_LEAD_ID >= 1000 AND sql_solution = '" + value + "'")
	}
	for _, field := range []string{"UF_CRM_B", ""} {
		ctx, cut := context.WithCancel(m.ctx)
		batches := 0
		db, err := repo.Open(ctx, repo.Config{URL: m.url, SolutionField: field, Now: func() time.Time {
			if batches++; batches == 2 { // each batch reads the clock
				cut()
			}
			return m.clock.Now()
		}})
		m.must(err)
		if _, err := db.Refill(ctx); err == nil {
			m.t.Fatal("it was not cut short")
		}
		m.must(db.Close())
		for _, half := range []*repo.DB{m.DB, m.again(repo.Config{SolutionField: field})} {
			if err := half.CheckRules(m.ctx); !errors.Is(err, repo.ErrOtherRules) {
				m.t.Errorf("half filled: %v", err)
			}
		}
		m.refill(m.DB, "bitrix_lead_solution")
		if a, b := count("a"), count("b"); a != "500" || b != "0" {
			m.t.Errorf("with %q for a while: %s of 500 as they were, %s as meanwhile", field, a, b)
		}
	}
}

func refillMarks(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 40, map[string]any{"UF_CRM_LONG": strings.Repeat("я", 2001)})))
	for range 2 {
		m.refill(m.again(repo.Config{SolutionField: "UF_CRM_LONG"}), "bitrix_lead_solution")
		if got := m.marks("40"); len(got) != 1 || !strings.HasPrefix(got[0], "[bitrix_lead_solution does not fit") {
			m.t.Errorf("marks %v", got)
		}
		m.refill(m.DB, "bitrix_lead_solution")
	}
}

// neverRead refills where all rows were adopted and never read.
func neverRead(m *mirror) {
	m.servePortal(other, "two.bitrix24.ru")
	m.exec("INSERT INTO bitrix_leads (sql_ID, member_id, read_ticket, revision) VALUES (1, '" + other + "', 0, 0)")
	m.exec("INSERT INTO bitrix_lead_contacts (sql_LEAD_ID, sql_CONTACT_ID, sql_TYPE_ID, sql_VALUE, member_id) VALUES (1, '7', 'PHONE', '8 912 345-01-17', '" + other + "')")
	m.exec("DELETE FROM leadsync_settings")
	m.refill(m.DB, "leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution")
	m.wantCallers("9123450117", "1:1@bbbb")
}

// refillWhileErasing starts after the erasure has deleted the solutions.
func refillWhileErasing(m *mirror) {
	var batch []leads.Snapshot
	for id := int64(1); id <= 3000; id++ {
		batch = append(batch, seen(100, card(m.t, id, map[string]any{"UF_CRM_A": "a"})))
	}
	m.apply(batch...)
	m.exec("DELETE FROM leadsync_settings")
	left := func(table string) (n int, err error) {
		err = m.raw.QueryRowContext(m.ctx, "SELECT COUNT(*) FROM "+table+" WHERE member_id = '"+member+"'").Scan(&n)
		return n, err
	}
	var group errgroup.Group
	group.Go(func() error {
		for {
			if n, err := left("bitrix_lead_solution"); err != nil || n == 0 {
				break
			}
		}
		_, err := m.Refill(m.ctx)
		return err
	})
	m.must(m.ErasePortal(m.ctx, member))
	m.must(group.Wait())
	for _, table := range []string{"leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution"} {
		if n, err := left(table); n != 0 || err != nil {
			m.t.Errorf("%d rows are left in %s, %v", n, table, err)
		}
	}
}

func otherRules(m *mirror) {
	m.must(m.CheckRules(m.ctx))
	for _, c := range []struct {
		cfg  repo.Config
		want string
	}{
		{repo.Config{SolutionField: "UF_CRM_B"}, "LEADSYNC_SOLUTION_FIELD"},
		{repo.Config{}, "LEADSYNC_SOLUTION_FIELD"},
		{repo.Config{SolutionField: "UF_CRM_A", PhoneRegion: "BY"}, "LEADSYNC_PHONE_REGION"},
	} {
		if err := m.again(c.cfg).CheckRules(m.ctx); !errors.Is(err, repo.ErrOtherRules) || !strings.Contains(err.Error(), c.want) {
			m.t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	m.exec("UPDATE leadsync_settings SET value = '0' WHERE name = 'lead_fields'")
	m.must(m.CheckRules(m.ctx)) // no variable sets the rules of this table
	m.exec("DELETE FROM leadsync_settings WHERE name = 'solution_field'")
	m.must(m.again(repo.Config{}).CheckRules(m.ctx)) // a service without the field accepts it
	if err := m.CheckRules(m.ctx); !errors.Is(err, repo.ErrOtherRules) {
		m.t.Errorf("a field where the service has none: %v", err)
	}
	m.exec("DELETE FROM leadsync_settings")
	m.must(m.again(repo.Config{PhoneRegion: "BY"}).CheckRules(m.ctx)) // no table was filled yet
}
