package repotest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	t.Run("an interrupted migration changes nothing", func(t *testing.T) { adoptInterrupted(t, server) })
	t.Run("two replicas migrate at once", func(t *testing.T) { adoptTogether(t, server) })
	t.Run("the first portal gets the rows", func(t *testing.T) { adoptFirst(t, server) })
	t.Run("the portal in bitrix_oauth gets the rows", func(t *testing.T) { adoptNamed(t, server) })
	t.Run("one of two concurrent portals gets the rows", func(t *testing.T) { adoptRace(t, server) })
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

func (m *mirror) migrated() *mirror {
	m.t.Helper()
	if _, err := m.Migrate(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	return m
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
	m.migrated()
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

// interrupter cancels a context when a migration is about to run its n-th statement, and
// records the statements before.
type interrupter struct {
	slog.Handler

	cancel context.CancelFunc
	left   int
	ran    []string
}

// Handle implements slog.Handler.
func (i *interrupter) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "executing statement" {
		return nil
	}
	if i.left--; i.left < 0 {
		i.cancel()
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "statement" {
			i.ran = append(i.ran, a.Value.String())
		}
		return true
	})
	return nil
}

// Enabled implements slog.Handler.
func (i *interrupter) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (i *interrupter) WithAttrs([]slog.Attr) slog.Handler { return i }

// WithGroup implements slog.Handler.
func (i *interrupter) WithGroup(string) slog.Handler { return i }

func adoptInterrupted(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 200)
	reports, newest := m.oktellReports(), m.newestLeads()
	step := 1
	if m.Dialect() != "sqlite" {
		step = 9 // each run takes seconds
	}
	cuts := 0
	for n := 0; ; n += step {
		if m.migrateUntil(n) {
			break
		}
		cuts++
		pending, err := m.MigrationPlan(m.ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.raw.ExecContext(m.ctx, "SELECT member_id FROM bitrix_leads")
		if adopts := slices.Contains(pending, "00001_mirror.sql"); adopts == (err == nil) {
			t.Fatalf("cut at statement %d, some of a migration has happened; pending %v", n, pending)
		}
	}
	if cuts < 5 {
		t.Fatalf("%d cuts: the test has proved nothing", cuts)
	}
	t.Logf("cut short %d times", cuts)
	if err := m.CheckMigrated(m.ctx); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(reports, m.oktellReports()); diff != "" {
		t.Errorf("reports (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(newest, m.newestLeads()); diff != "" {
		t.Errorf("leads since (-before +after):\n%s", diff)
	}
}

// migrateUntil migrates and is interrupted before statement n; true where it has finished
// before that.
func (m *mirror) migrateUntil(n int) bool {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	db := m.again(repo.Config{Logger: slog.New(&interrupter{cancel: cancel, left: n})})
	_, err := db.Migrate(ctx)
	if err == nil {
		return true
	}
	if !errors.Is(err, context.Canceled) {
		m.t.Fatalf("cut at statement %d: %v", n, err)
	}
	return false
}

func adoptTogether(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 500)
	reports := m.oktellReports()
	plan, err := m.MigrationPlan(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if total := m.migrateTogether(2); total != len(plan) {
		t.Errorf("%d migrations applied by two, want each of %d once", total, len(plan))
	}
	if diff := cmp.Diff(reports, m.oktellReports()); diff != "" {
		t.Errorf("reports (-before +after):\n%s", diff)
	}
}

// owned returns the number of rows of the adopted tables that a portal has.
func (m *mirror) owned(memberID string) string {
	m.t.Helper()
	var counts []string
	for _, table := range []string{
		"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution", "bitrix_import_lead_error", "leadsync_duplicate_leads",
	} {
		counts = append(counts, m.text("SELECT COUNT(*) FROM "+table+" WHERE member_id = '"+memberID+"'"))
	}
	return strings.Join(counts, " ")
}

const none = "0 0 0 0 0"

func (m *mirror) raise(memberID string) {
	m.t.Helper()
	if _, err := m.RaiseEpoch(m.ctx, memberID, "replica"); err != nil {
		m.t.Fatal(err)
	}
}

func adoptFirst(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 100).migrated()
	waiting := m.owned("")
	if strings.Contains(" "+waiting+" ", " 0 ") {
		t.Fatalf("a table has nothing to adopt: %s", waiting)
	}
	if _, ok, err := m.Row(m.ctx, leads.Ref{MemberID: member, LeadID: 1}); ok || err != nil {
		t.Errorf("a row has a portal before there is one (%v)", err)
	}
	m.raise(member)
	m.raise(other)
	m.raise(member)
	if got := m.owned(member); got != waiting {
		t.Errorf("the first portal has %s rows, want %s", got, waiting)
	}
	if m.owned("") != none || m.owned(other) != none {
		t.Errorf("rows without a portal: %s, of the second portal: %s", m.owned(""), m.owned(other))
	}
	if err := m.ErasePortal(m.ctx, member); err != nil {
		t.Fatal(err)
	}
	if got := m.owned(member); got != none {
		t.Errorf("erased, it has %s rows", got)
	}
}

func adoptNamed(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).migrated()
	m.exec("UPDATE bitrix_oauth SET member_id = '" + member + "'")
	waiting := m.owned("")
	m.raise(other)
	if m.owned(other) != none {
		t.Errorf("a portal has %s rows, and bitrix_oauth names another portal", m.owned(other))
	}
	own := present(t, leads.NewTickets(1).Draw(), 1, "of the other portal")
	own.MemberID = other
	m.verdict(leads.Inserted, own)
	if err := m.SaveGrant(m.ctx, leads.Grant{MemberID: member, RefreshToken: "new", AccessToken: "new", ExpiresAt: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	m.raise(other)
	m.raise(member)
	if got := m.owned(member); got != waiting {
		t.Errorf("the portal has %s rows, want %s", got, waiting)
	}
	if got := m.owned(other); got != "1 0 0 0 0" {
		t.Errorf("the other portal has %s rows, want the one of its own", got)
	}
	grants, err := m.Grants(m.ctx, member)
	if err != nil || len(grants) != 1 || grants[0].RefreshToken != "new" {
		t.Errorf("%d grants (%v), want only ours: the call centre's own belong to its application", len(grants), err)
	}
}

func adoptRace(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).migrated()
	waiting := m.owned("")
	members := []string{member, other}
	var wg sync.WaitGroup
	for _, memberID := range members {
		db := m.again(repo.Config{})
		wg.Go(func() {
			if _, err := db.RaiseEpoch(m.ctx, memberID, memberID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := []string{m.owned(member), m.owned(other)}
	slices.Sort(got)
	if got[0] != none || got[1] != waiting {
		t.Errorf("one has %s rows, the other %s; want all %s with one", got[0], got[1], waiting)
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

func adoptDown(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 100)
	before := m.oktellRowsNow()
	m.migrated()
	for round := range 2 {
		m.down()
		if diff := cmp.Diff(before, m.oktellRowsNow()); diff != "" {
			t.Errorf("round %d: rows (-before +after):\n%.2000s", round, diff)
		}
		m.asPlanned()
	}
	m.raise(member)
	m.verdict(leads.Inserted, present(t, leads.NewTickets(1).Draw(), 5000, "after down and up"))
}

// down migrates down and wants leadsync's own objects to be dropped.
func (m *mirror) down() {
	m.t.Helper()
	undone, err := m.MigrateDown(m.ctx)
	if err != nil || len(undone) == 0 {
		m.t.Fatalf("down: %v, %v", undone, err)
	}
	for _, ask := range []string{"SELECT member_id FROM bitrix_leads", "SELECT member_id FROM leadsync_owners", "SELECT Id FROM leadsync_duplicate_leads"} {
		if _, err := m.raw.ExecContext(m.ctx, ask); err == nil {
			m.t.Errorf("an object of leadsync is still there: %s", ask)
		}
	}
}

// adoptDownDeleted deletes leads before it migrates down: one with a single row, and one
// with three.
func adoptDownDeleted(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50)
	alive := func() []string {
		return m.report([]string{"Id"}, "bitrix_leads WHERE sql_ID NOT IN (4, 10) ORDER BY Id")
	}
	rows, tokens := alive(), m.report(append([]string{"Id"}, oktellTables["bitrix_oauth"]...), "bitrix_oauth ORDER BY Id")
	m.migrated()
	m.raise(member)
	if n := m.text("SELECT COUNT(*) FROM leadsync_duplicate_leads WHERE sql_ID = 10"); n != "2" {
		t.Fatalf("%s rows beside lead 10: the test would prove nothing", n)
	}
	tickets := leads.NewTickets(1)
	m.verdict(leads.Deleted, proven(tickets.Draw(), 4))
	m.verdict(leads.Deleted, proven(tickets.Draw(), 10))
	if err := m.SaveGrant(m.ctx, leads.Grant{MemberID: member, RefreshToken: "new", AccessToken: "new", ExpiresAt: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	m.down()
	if n := m.text("SELECT COUNT(*) FROM bitrix_leads WHERE sql_ID IN (4, 10)"); n != "0" {
		t.Errorf("%s rows of deleted leads are back", n)
	}
	if diff := cmp.Diff(rows, alive()); diff != "" {
		t.Errorf("rows of other leads (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(tokens, m.report(append([]string{"Id"}, oktellTables["bitrix_oauth"]...), "bitrix_oauth ORDER BY Id")); diff != "" {
		t.Errorf("tokens (-before +after):\n%s", diff)
	}
}

// asPlanned migrates and wants it to run the statements of the plan.
func (m *mirror) asPlanned() {
	m.t.Helper()
	plan, err := m.MigrationPlan(m.ctx)
	if err != nil || len(plan) == 0 {
		m.t.Fatalf("plan %v, %v", plan, err)
	}
	var planned []string
	for _, name := range plan {
		statements, err := m.MigrationStatements(name)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, statement := range statements {
			planned = append(planned, withoutComments(statement))
		}
	}
	note := &interrupter{cancel: func() {}, left: 1 << 30}
	if _, err := m.again(repo.Config{Logger: slog.New(note)}).Migrate(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	for i := range note.ran {
		note.ran[i] = withoutComments(note.ran[i])
	}
	if diff := cmp.Diff(planned, note.ran); diff != "" {
		m.t.Errorf("statements (-planned +run):\n%.2000s", diff)
	}
}

func withoutComments(statement string) string {
	var lines []string
	for line := range strings.Lines(statement) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
