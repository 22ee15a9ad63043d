package repotest

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func adoptDown(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 100)
	before := m.oktellRowsNow()
	m.adopted()
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
	m.adopted()
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
	if _, err := m.again(repo.Config{Logger: slog.New(note)}).Adopt(m.ctx, nil); err != nil {
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
