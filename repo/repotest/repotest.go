// Package repotest is the test suite that every database of the mirror must pass. The tests
// change and delete everything in the database that they get.
package repotest

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/microsoft/go-mssqldb" // hand edits on SQL Server
	_ "modernc.org/sqlite"              // hand edits on SQLite

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// Server is a database system under test.
type Server struct {
	// URL returns the URL of a database for one test, without any tables of leadsync.
	URL func(tb testing.TB) string
}

// SQLite uses a new file for each test.
func SQLite() Server {
	return Server{URL: func(tb testing.TB) string {
		tb.Helper()
		return "sqlite:" + filepath.Join(tb.TempDir(), "mirror.db")
	}}
}

// tests are the suite. brief ones are those that show best whether a session does what the
// statements rely on: counts, whole values, dates, one transaction.
var tests = []struct {
	name string
	test func(*testing.T, Server)
}{
	{"Migrate", migrations},
	{"FirstStartCut", firstStartCut},
	{"Adopt", adopting},
	{"Claim", claiming},
	{"Preflight", preflight},
	{"Health", health},
	{"Apply", applying},
	{"Absence", absence},
	{"Fence", fencing},
	{"Poison", poison},
	{"Force", forcing},
	{"Outbox", outbox},
	{"MirrorStatus", mirrorStatus},
	{"Agenda", agenda},
	{"OutboxFairly", outboxFairly},
	{"OutboxOfLargeCards", outboxOfLargeCards},
	{"OutboxCards", outboxCards},
	{"OutboxTorn", outboxTorn},
	{"OutboxTogether", outboxTogether},
	{"Announce", announcing},
	{"History", history},
	{"Values", values},
	{"Fields", customFields},
	{"Shapes", shapes},
	{"Range", ranges},
	{"Phones", phones},
	{"Sides", sideTables},
	{"Differences", differences},
	{"Portals", portals},
	{"Tokens", tokens},
	{"Standings", standings},
	{"Runs", runs},
	{"Passes", passes},
	{"Prune", pruning},
	{"Breaker", breakers},
	{"Records", records},
	{"Failing", failing},
	{"Callbacks", callbacks},
	{"Concurrent", concurrent},
	{"Killed", killed},
	{"Property", property},
}

var brief = map[string]bool{"Apply": true, "Fence": true, "OutboxTogether": true, "Values": true, "Tokens": true, "Standings": true, "Runs": true}

// Run runs the whole suite.
func Run(t *testing.T, server Server) {
	t.Helper()
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) { c.test(t, server) })
	}
}

// RunBriefly runs a part of the suite.
func RunBriefly(t *testing.T, server Server) {
	t.Helper()
	for _, c := range tests {
		if brief[c.name] {
			t.Run(c.name, func(t *testing.T) { c.test(t, server) })
		}
	}
}

// member is the portal of most tests, other is another one.
const (
	member = "a223c6b3710f85df22e9377d6c4f7553"
	other  = "bbbbc6b3710f85df22e9377d6c4f7553"
)

// start is the first time of the tests' clock.
var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// mirror is a migrated database under test, its clock, and a connection for edits by hand.
type mirror struct {
	*repo.DB
	t     testing.TB
	ctx   context.Context
	url   string
	clock *leadstest.Clock
	raw   *sql.DB
}

// open returns an empty, migrated database. It sets cfg's URL and clock.
func open(tb testing.TB, server Server, cfg repo.Config) *mirror {
	tb.Helper()
	m := &mirror{t: tb, ctx: tb.Context(), url: server.URL(tb), clock: leadstest.NewClock(start)}
	m.DB = m.again(cfg)
	if _, err := m.Migrate(m.ctx); err != nil {
		tb.Fatal(err)
	}
	m.raw = openRaw(tb, m.url)
	return m
}

// again opens the same database once more, like another replica.
func (m *mirror) again(cfg repo.Config) *repo.DB {
	m.t.Helper()
	cfg.URL, cfg.Now = m.url, m.clock.Now
	db, err := repo.Open(m.ctx, cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return db
}

func openRaw(tb testing.TB, url string) *sql.DB {
	tb.Helper()
	driver, dsn := "sqlserver", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, dsn = "sqlite", path+"?_pragma=busy_timeout(10000)"
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = raw.Close() })
	return raw
}

// exec runs a statement by hand.
func (m *mirror) exec(statement string) {
	m.t.Helper()
	if _, err := m.raw.ExecContext(m.ctx, statement); err != nil {
		m.t.Fatalf("%s: %v", statement, err)
	}
}

// text reads one value by hand; NULL is "<null>".
func (m *mirror) text(statement string, args ...any) string {
	m.t.Helper()
	var value sql.NullString
	if err := m.raw.QueryRowContext(m.ctx, statement, args...).Scan(&value); err != nil {
		m.t.Fatalf("%s: %v", statement, err)
	}
	if !value.Valid {
		return "<null>"
	}
	return value.String
}

// on returns the text for the database under test.
func (m *mirror) on(sqlite, sqlServer string) string {
	if m.Dialect() == "sqlite" {
		return sqlite
	}
	return sqlServer
}

// apply applies snapshots and fails the test on an error.
func (m *mirror) apply(snapshots ...leads.Snapshot) []leads.Outcome {
	m.t.Helper()
	outcomes, err := m.Apply(m.ctx, snapshots)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(outcomes) != len(snapshots) {
		m.t.Fatalf("%d outcomes of %d snapshots", len(outcomes), len(snapshots))
	}
	for i, s := range snapshots {
		if o := outcomes[i]; o.Ref != s.Ref {
			m.t.Fatalf("outcome %d is of %s, its snapshot of %s", i, o.Ref, s.Ref)
		}
	}
	return outcomes
}

// verdict applies one snapshot and wants the verdict.
func (m *mirror) verdict(want leads.Verdict, s leads.Snapshot) leads.Outcome {
	m.t.Helper()
	outcome := m.apply(s)[0]
	if outcome.Verdict != want {
		m.t.Fatalf("%s with ticket %d: %s (%v), want %s", s.Ref, s.Ticket, outcome.Verdict, outcome.Err, want)
	}
	return outcome
}

// row returns a row that must exist.
func (m *mirror) row(memberID string, id int64) leads.Row {
	m.t.Helper()
	row, ok, err := m.Row(m.ctx, leads.Ref{MemberID: memberID, LeadID: id})
	if err != nil || !ok {
		m.t.Fatalf("row %s/%d: %v, %v", memberID, id, ok, err)
	}
	return row
}

// column returns the value of a row's column sql_<name>.
func column(row leads.Row, name string) string {
	for i, f := range leads.Fields {
		if f.Name == name {
			return row.Columns[i]
		}
	}
	panic("no field " + name)
}

// changes returns the changes in the outbox, oldest first.
func (m *mirror) changes() []leads.Change {
	m.t.Helper()
	waiting, err := m.Outbox(m.ctx, 100_000)
	if err != nil {
		m.t.Fatal(err)
	}
	var list []leads.Change
	for _, a := range waiting {
		list = append(list, a.Change)
	}
	return list
}

// drain empties the outbox.
func (m *mirror) drain() {
	m.t.Helper()
	waiting, err := m.Outbox(m.ctx, 100_000)
	if err != nil {
		m.t.Fatal(err)
	}
	var ids []int64
	for _, a := range waiting {
		ids = append(ids, a.ID)
	}
	if err := m.DropOutbox(m.ctx, ids); err != nil {
		m.t.Fatal(err)
	}
}

// card is a lead as a portal sends it, with its id and these fields; a field may be any JSON
// value.
func card(tb testing.TB, id int64, fields map[string]any) leads.Lead {
	tb.Helper()
	shown := map[string]any{"ID": strconv.FormatInt(id, 10)}
	maps.Copy(shown, fields)
	raw, err := json.Marshal(shown)
	if err != nil {
		tb.Fatal(err)
	}
	lead, err := leads.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return lead
}

// present is a read that returned a lead with this title.
func present(tb testing.TB, ticket leads.Ticket, id int64, title string) leads.Snapshot {
	tb.Helper()
	return seen(ticket, card(tb, id, map[string]any{"TITLE": title}))
}

// seen is a read that returned a card.
func seen(ticket leads.Ticket, lead leads.Lead) leads.Snapshot {
	return leads.Snapshot{
		Ref: leads.Ref{MemberID: member, LeadID: lead.ID}, Ticket: ticket,
		ReadAt: start.Add(time.Duration(ticket) * time.Second), Cause: leads.CauseEvent, Lead: lead,
	}
}

// unseen is a read that did not find the lead, or was denied.
func unseen(ticket leads.Ticket, id int64, sight leads.Sight) leads.Snapshot {
	return leads.Snapshot{
		Ref: leads.Ref{MemberID: member, LeadID: id}, Ticket: ticket,
		ReadAt: start.Add(time.Duration(ticket) * time.Second), Cause: leads.CauseReconcile, Sight: sight,
	}
}

// proven is a read that did not find a lead, with a proven deletion.
func proven(ticket leads.Ticket, id int64) leads.Snapshot {
	s := unseen(ticket, id, leads.Absent)
	s.Proven = true
	return s
}

// phone is a multifield row.
func phone(id, value string) map[string]any {
	return map[string]any{"ID": id, "VALUE_TYPE": "WORK", "VALUE": value, "TYPE_ID": "PHONE"}
}
