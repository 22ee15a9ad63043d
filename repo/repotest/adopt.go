package repotest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// oktellSize is the number of leads in the adopted database. No call centre uses SQLite, so
// fewer are enough there.
func (m *mirror) oktellSize() int {
	if m.Dialect() == "sqlite" {
		return 2_000
	}
	return 20_000
}

func adopting(t *testing.T, server Server) {
	t.Helper()
	t.Run("reports of a call centre stay the same", func(t *testing.T) { adoptWhole(t, server) })
	t.Run("only a person takes it over", func(t *testing.T) { adoptAsked(t, server) })
	t.Run("two people take it over at once", func(t *testing.T) { adoptTogether(t, server) })
	t.Run("an interrupted adoption continues", func(t *testing.T) { adoptCut(t, server) })
	t.Run("connections that break do no harm", func(t *testing.T) { adoptOverCutConnections(t, server) })
	t.Run("migrating down restores every row", func(t *testing.T) { adoptDown(t, server) })
	t.Run("migrating down keeps deleted leads deleted", func(t *testing.T) { adoptDownDeleted(t, server) })
}

// oktell is a call centre's database with that many leads (0 is oktellSize), not migrated
// yet.
func oktell(t *testing.T, server Server, size int) *mirror {
	t.Helper()
	m := &mirror{t: t, ctx: t.Context(), url: server.URL(t), clock: leadstest.NewClock(start)}
	m.DB, m.raw = m.again(repo.Config{}), openRaw(t, m.url)
	if size == 0 {
		size = m.oktellSize()
	}
	Oktell(t, m.url, size)
	return m
}

// adopted takes the database over.
func (m *mirror) adopted() *mirror {
	m.t.Helper()
	m.adopt()
	return m
}

func (m *mirror) adopt() repo.Adopted {
	m.t.Helper()
	done, err := m.Adopt(m.ctx, nil)
	m.must(err)
	return done
}

// report runs a query of the call centre and returns its rows, each as one text.
func (m *mirror) report(columns []string, rest string) []string {
	m.t.Helper()
	rows, err := m.raw.QueryContext(m.ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+rest) //nolint:gosec // the statement is a constant of the tests
	if err != nil {
		m.t.Fatalf("%s: %v", rest, err)
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			m.t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%v", values))
	}
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
	return texts
}

// oktellReports are the call centre's reports, without duplicates.
func (m *mirror) oktellReports() map[string][]string {
	m.t.Helper()
	reports := map[string][]string{}
	for table, columns := range oktellTables {
		if table != "bitrix_leads" {
			reports[table] = m.report(columns, table+" ORDER BY Id")
		}
	}
	// select … where sql_date_modify >= @dt, and the walk of "lead get by id"
	reports["leads walked"] = m.report([]string{"DISTINCT sql_ID"}, "bitrix_leads WHERE sql_date_modify >= '2026-03-01T00:00:00' ORDER BY sql_ID")
	return reports
}

// newestLeads are the rows of bitrix_leads in the call centre's report, of each lead only the
// one that was modified last.
func (m *mirror) newestLeads() []string {
	m.t.Helper()
	columns := oktellTables["bitrix_leads"]
	newest := `bitrix_leads AS l WHERE l.sql_date_modify >= '2026-03-01T00:00:00' AND NOT EXISTS (
		SELECT 1 FROM bitrix_leads AS n WHERE n.sql_ID = l.sql_ID
			AND (n.sql_DATE_MODIFY > l.sql_DATE_MODIFY OR n.sql_DATE_MODIFY = l.sql_DATE_MODIFY AND n.Id > l.Id)
	) ORDER BY l.sql_ID`
	if m.Dialect() == "sqlite" { // the other query would compare every pair of rows
		m.exec("CREATE INDEX IF NOT EXISTS ix_test ON bitrix_leads (sql_ID)")
		defer m.exec("DROP INDEX ix_test")
	}
	return m.report(columns, newest)
}

func adoptWhole(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 0)
	size := m.oktellSize()
	reports, newest := m.oktellReports(), m.newestLeads()
	total := m.text("SELECT COUNT(*) FROM bitrix_leads")
	if len(newest) < size/2 || len(reports["bitrix_lead_contacts"]) < size {
		t.Fatalf("%d leads and %d contacts in the reports: the test would prove nothing", len(newest), len(reports["bitrix_lead_contacts"]))
	}
	done := m.adopt()
	if sum := strconv.FormatInt(done.Leads+done.Duplicates, 10); !done.TookOver || done.Leads != int64(size) || done.Unclaimed != done.Leads || sum != total ||
		done.Contacts != int64(len(reports["bitrix_lead_contacts"])) {
		t.Errorf("of %s rows: %+v", total, done)
	}
	if diff := cmp.Diff(reports, m.oktellReports()); diff != "" {
		t.Errorf("reports (-before +after):\n%.2000s", diff)
	}
	after := m.report(oktellTables["bitrix_leads"], "bitrix_leads WHERE sql_date_modify >= '2026-03-01T00:00:00' ORDER BY sql_ID")
	if diff := cmp.Diff(newest, after); diff != "" {
		t.Errorf("leads since (-before +after):\n%.2000s", diff)
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_leads"); n != strconv.Itoa(size) {
		t.Errorf("%s rows, want one for each of %d leads", n, size)
	}
	sum := m.text("SELECT (SELECT COUNT(*) FROM bitrix_leads) + (SELECT COUNT(*) FROM leadsync_duplicate_leads)")
	if sum != total {
		t.Errorf("%s rows are left of %s: one was lost", sum, total)
	}
	if _, err := m.RaiseEpoch(m.ctx, member, "one"); err != nil {
		t.Fatal(err)
	}
	m.heal()
}

// heal applies reads of a few adopted rows, as a pass does.
func (m *mirror) heal() {
	m.t.Helper()
	rows, err := m.Range(m.ctx, member, 0, 20, 100)
	if err != nil || len(rows) != 20 {
		m.t.Fatalf("%d adopted rows in the range, %v", len(rows), err)
	}
	tickets := leads.NewTickets(1)
	lead := card(m.t, rows[0].LeadID, map[string]any{"TITLE": "as the portal has it", "UF_CRM_1": []any{"a", "b"}, "PHONE": []any{phone("77", "+7 343 1")}})
	if names := rows[0].Differences(&lead); len(names) == 0 {
		m.t.Fatal("an adopted row counts as equal to its card")
	}
	forced := seen(tickets.Draw(), lead)
	forced.Force, forced.Cause = true, leads.CauseReconcile
	if o := m.verdict(leads.Updated, forced); o.Revision != 1 {
		m.t.Errorf("revision %d, want 1: revisions begin with the first read", o.Revision)
	}
	if row := m.row(member, lead.ID); row.Differences(&lead) != nil {
		m.t.Errorf("after the read it differs in %v", row.Differences(&lead))
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_lead_fields"); n != "2" {
		m.t.Errorf("%s custom values, want 2", n)
	}
	m.verdict(leads.Deleted, proven(tickets.Draw(), rows[1].LeadID))
	m.verdict(leads.Unchanged, seen(tickets.Draw(), lead))
}

// adoptAsked wants Migrate, which a service calls, to leave a call centre's database alone.
func adoptAsked(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50)
	before := m.oktellRowsNow()
	refused := func(when string) {
		t.Helper()
		for name, call := range map[string]func() error{
			"Migrate":       func() error { _, err := m.Migrate(m.ctx); return err },
			"CheckMigrated": func() error { return m.CheckMigrated(m.ctx) },
		} {
			if err := call(); !errors.Is(err, repo.ErrNotAdopted) || !errors.Is(err, repo.ErrNotMigrated) {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
	}
	refused("before")
	if diff := cmp.Diff(before, m.oktellRowsNow()); diff != "" {
		t.Errorf("rows (-before +after):\n%.2000s", diff)
	}
	ctx, cancel := context.WithCancel(m.ctx)
	if _, err := m.Adopt(ctx, func(repo.Progress) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut: %v", err)
	}
	refused("after a cut")
	m.adopt()
	m.must(m.CheckMigrated(m.ctx))
	if m.Dialect() == "sqlite" { // elsewhere this takes a minute
		m.down() // it is a call centre's database again
		refused("after migrating down")
		m.adopt()
	}
	if applied, err := m.Migrate(m.ctx); err != nil || len(applied) > 0 {
		t.Errorf("once adopted: %v, %v", applied, err)
	}
}

func adoptTogether(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 500)
	reports := m.oktellReports()
	plan, err := m.MigrationPlan(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	adopt := func(db *repo.DB) ([]string, error) { done, err := db.Adopt(m.ctx, nil); return done.Applied, err }
	if total := m.migrateTogether(2, adopt); total != len(plan) {
		t.Errorf("%d migrations applied by two, want each of %d once", total, len(plan))
	}
	if diff := cmp.Diff(reports, m.oktellReports()); diff != "" {
		t.Errorf("reports (-before +after):\n%s", diff)
	}
}

// oktellRowsNow are all rows of the call centre's tables, each with its Id.
func (m *mirror) oktellRowsNow() map[string][]string {
	m.t.Helper()
	tables := map[string][]string{}
	for table, columns := range oktellTables {
		tables[table] = m.report(append([]string{"Id"}, columns...), table+" ORDER BY Id")
	}
	return tables
}
