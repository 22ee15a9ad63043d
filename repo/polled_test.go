package repo_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/repo"
	leadsql "leadsync/sql"
)

// polled are the statements that loops, scrapes and passes run, by their fields in
// leadsql.Statements, and how often. TestPolledStatementsAreSeeks and microsoftPlans look at
// their plans.
var polled = map[string]string{
	"Agenda":               "twice a second",
	"OutboxCompleteLead":   "with each update",
	"OwnerBeatAll":         "every 10 s",
	"RunNext":              "once a minute, each portal, and when a pass is requested",
	"RunInsert":            "with each request of a pass: every ten minutes, and after outages",
	"RunUnfinished":        "the same",
	"RunResume":            "when a person resumes a pass",
	"RunGet":               "with each window of a pass",
	"RunClaim":             "with each pass",
	"RunUpdate":            "with each window of a pass",
	"RunProofs":            "every 5 s, each portal",
	"RunWatermark":         "every ten minutes and with each pass",
	"RunLastCompleted":     "when a portal gets an owner",
	"RunLastFull":          "every 30 s, each portal",
	"RunLastEnded":         "every 10 s, each portal",
	"FindingPendingList":   "with each window of a pass",
	"FindingPendingDelete": "with each window of a pass",
	"FindingMissingList":   "at the end of each pass, for 50 leads at a time",
	"FindingUpdate":        "for each lead of these",
	"FindingList":          "after each pass over changes that found some",
	"IncidentList":         "every 5 s, each portal",
	"CallbackList":         "with each window of a pass and each read of the offline queue",
	"CallbacksUpdate":      "with each batch of notices",
	"FailingList":          "with each pass, and after a failure",
	"FailingGet":           "with each failure of a lead",
	"LeadsMissing":         "every 15 s, each portal",
	"LeadsCandidates":      "every 15 and 30 s, each portal",
	"AllowanceGet":         "the same",
	"ChangesLast":          "once a second while a page is open",
	"OutboxPortals":        "four times a second",
	"OutboxList":           "four times a second",
	"OutboxListPortal":     "four times a second, each portal with changes",
	"OutboxDelete":         "with each batch of changes",
	"OutboxOldest":         "with each look at /readyz and each scrape",
	"OutboxOldestPortal":   "every 5 s, each portal",
	"MirrorStatuses":       "every 5 s",
	"PortalList":           "once a second",
	"PortalGet":            "with each log-in and installation",
	"PortalStanding":       "with each look at /readyz",
	"OwnerBeat":            "every 10 s, each portal",
	"OwnerBeatGet":         "every 10 s, each portal",
	"OwnerBudget":          "every minute, each portal",
	"OwnerEpoch":           "with each write",
	"OwnerMirror":          "when the status of a mirror changes",
	"OwnerMirrorGet":       "when a portal gets an owner",
	"OwnerProblem":         "when a problem begins or ends",
	"OwnerNote":            "every ten minutes, each portal",
	"OwnerFieldsGet":       "when a portal gets an owner",
	"GrantList":            "every 10 s, each portal",
	"RuntimeTouchGet":      "every 5 s while leads are read",
	"RuntimeTouchList":     "with each full pass",
	"SettingList":          "when the service starts",
	"FieldTypesList":       "when a portal gets an owner",
	"RowGet":               "with each window of a pass over changes",
	"RowGetContacts":       "the same",
	"RowGetFields":         "the same",
	"RowGetPhones":         "the same",
	"RowGetSolutions":      "the same",
	"RowKeys":              "with each window of a pass over ids",
	"RowRange":             "with each window of a full pass",
	"RowRangeContacts":     "the same",
	"RowRangeFields":       "the same",
	"RowRangePhones":       "the same",
	"RowRangeSolutions":    "the same",
	"PruneRunList":         "every 100 runs while old rows are deleted, once a day",
	"PruneFindings":        "for each of these runs",
	"PruneRun":             "for each of these runs",
	"PruneIncidents":       "every 1,000 incidents, once a day",
	"PruneCallbackRange":   "every 1,000 callbacks, once a day",
	"PruneCallbacks":       "the same, where some are old",
	"PruneFailureRange":    "every 1,000 rows, once a day",
	"PruneFailures":        "the same, where some are old",
}

// mayScan are tables that stay small, and why.
var mayScan = map[string]string{
	"leadsync_portals":     "one row for each portal",
	"leadsync_owners":      "one row for each portal",
	"leadsync_settings":    "a row for each setting",
	"bitrix_oauth":         "one or two rows for each portal",
	"bitrix_lead_runtime":  "one row",
	"leadsync_allowances":  "at most one row for each portal",
	"leadsync_field_types": "a row for each custom field",
}

// inOrder are statements that take what they want from the beginning or the end of an index, and
// those whose portal has few rows there.
var inOrder = map[string]string{
	"Agenda":             "MIN of an index for each portal, MAX of a primary key",
	"OutboxList":         "the oldest changes, at most 500, in the order of the primary key",
	"OutboxListPortal":   "the same of one portal",
	"OutboxOldest":       "MIN of the primary key",
	"ChangesLast":        "MAX of the primary key",
	"OutboxOldestPortal": "MIN of an index",
	"OutboxPortals":      "EXISTS ends with the first",
	"RunLastFull":        "MAX of an index",
	"RunLastEnded":       "the end of an index: at most the pass that runs is before it",
	"FailingList":        "leads that fail now, all of them",
}

// whole is a line of SQLite's plan that reads a table or an index from one end to the other,
// or all rows of a portal, perhaps of one mode.
var whole = regexp.MustCompile(`^(?:SCAN|SEARCH) (\w+)(?:| (?:EXISTS )?USING .*\(member_id=\?(?: AND mode=\?)?(?: AND dry_run=\?)?\).*|(?: USING (?:COVERING )?INDEX \w+))$`)

// alias finds the table that an alias in a statement stands for.
var alias = regexp.MustCompile(`(?i)(?:dbo\.)?((?:leadsync|bitrix)_\w+) AS (\w+)`)

// Statements that are run again and again find what they want by an index, however many rows
// the tables have. Without statistics SQLite's plan does not depend on the rows.
func TestPolledStatementsAreSeeks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mirror.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for name, often := range polled {
		field := reflect.ValueOf(leadsql.SQLite).FieldByName(name)
		if !field.IsValid() {
			t.Errorf("there is no statement %s", name)
			continue
		}
		plan := sqlitePlan(t, raw, field.String())
		if table := scannedBy(plan, field.String()); table != "" && inOrder[name] == "" {
			t.Errorf("%s, run %s, reads all of %s:\n%s", name, often, table, strings.Join(plan, "\n"))
		}
		if strings.Contains(strings.Join(plan, "\n"), "ORDER BY") && inOrder[name] != "" {
			t.Errorf("%s sorts before it takes the first:\n%s", name, strings.Join(plan, "\n"))
		}
	}
}

// A portal may have many failures: those of one lead are found by its id.
func TestFailuresAreFoundByLead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mirror.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	s := leadsql.SQLite
	for name, statement := range map[string]string{"failure_payload": s.FailurePayload, "failure_update": s.FailureUpdate, "cuts_add": strings.Replace(s.CutsAdd, "@cuts", "'[]'", 1)} {
		if plan := strings.Join(sqlitePlan(t, raw, statement), "\n"); !strings.Contains(plan, "(member_id=? AND lead_id=?)") {
			t.Errorf("%s reads all failures of the portal:\n%s", name, plan)
		}
	}
}

// An owner that looks whether a pass was requested neither waits for those who write nor holds
// them up.
func TestLookingForARunDoesNotWaitForWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mirror.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	writer, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Rollback() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // less than SQLite waits for a lock
	defer cancel()
	if _, ok, err := db.ClaimRun(ctx, "m"); ok || err != nil {
		t.Errorf("while another process writes: %v, %v", ok, err)
	}
}

// sqlitePlan is what SQLite would do for a statement, a line for each step.
func sqlitePlan(t *testing.T, raw *sql.DB, statement string) (plan []string) {
	t.Helper()
	var args []any
	for _, name := range slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`@\w+`).FindAllString(statement, -1)))) {
		args = append(args, sql.Named(name[1:], "1"))
	}
	rows, err := raw.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatalf("%v: %s", err, statement)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// scannedBy returns a table that grows and that a plan reads completely; "" where there is
// none.
func scannedBy(plan []string, statement string) string {
	tables := map[string]string{}
	for _, m := range alias.FindAllStringSubmatch(statement, -1) {
		tables[m[2]] = m[1]
	}
	for _, line := range plan {
		m := whole.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		table := m[1]
		if tables[table] != "" {
			table = tables[table]
		}
		if strings.HasPrefix(table, "leadsync_") || strings.HasPrefix(table, "bitrix_") {
			if mayScan[table] == "" {
				return table
			}
		}
	}
	return ""
}

// polledValues stand for the parameters: a plan follows the values that it is first asked with.
var polledValues = strings.NewReplacer("@member_id", "N'm'", "@mode", "N'changed'", "@state", "N'requested'", "@dry_run", "0", "@run_id", "N'r500'", "@lead_id", "17",
	"@after", "17", "@up_to", "500", "@limit", "50", "@before", "N'2020-01-01T00:00:00.000Z'", "@since", "N'2030-01-01T00:00:00.000Z'",
	"@until", "N'2020-01-01T00:00:00.000Z'", "@now", "N'2030-01-01T00:00:00.000Z'", "@ids", "N'[1,2]'", "@rows",
	`N'[{"lead_id":1,"event":"E","received_at":"2026-11-24T10:00:00.000Z"}]'`, "@id", "N'r500'", "@requested_at", "N'2026-11-24T10:00:00.000Z'", "@max_deletes", "0", "@repaired", "N'deleted'")

// pollsSeek wants the same of SQL Server's plans, for tables with a history in them. TOP
// without a sort reads no more than its rows, so inOrder may scan.
func pollsSeek(t *testing.T, conn *sql.Conn) {
	t.Helper()
	for name := range polled {
		statement := polledValues.Replace(reflect.ValueOf(leadsql.SQLServer).FieldByName(name).String())
		if inOrder[name] == "" && !strings.Contains(statement, "@") { // those with other parameters find one row by its key
			wantSeeks(t, conn, name, statement)
		}
	}
}

// fillHistory gives the portal m runs with findings, incidents and changes that wait.
func fillHistory(t *testing.T, url string, size int) {
	t.Helper()
	raw, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	numbers := fmt.Sprintf("FROM dbo.leadsync_callbacks AS c WHERE c.member_id = N'm' AND c.lead_id <= %d", size)
	const at = "DATEADD(minute, c.lead_id, CONVERT(datetimeoffset(3), N'2026-01-01T00:00:00Z', 127))"
	for _, statement := range []string{
		"INSERT INTO dbo.leadsync_runs (id, member_id, mode, state, dry_run, requested_at, started_at, finished_at, checkpoint_id, claimed_epoch, scanned, unchanged, " +
			"missed, stale, phantom, unreadable, rows_inserted, rows_updated, rows_deleted, requests, max_deletes, portal_at, refused, unprocessable) " +
			"SELECT N'r' + CONVERT(nvarchar(10), c.lead_id), N'm', CASE WHEN c.lead_id % 150 = 0 THEN N'full' ELSE N'changed' END, N'completed', 0, " + at + ", " + at + ", " + at +
			", 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, N'2026-01-01T00:00:00Z', 0, 0 " + numbers,
		"INSERT INTO dbo.leadsync_findings (run_id, member_id, lead_id, kind, fields, found_at, repaired) " +
			"SELECT N'r' + CONVERT(nvarchar(10), c.lead_id), N'm', c.lead_id, N'stale', N'[]', " + at + ", N'updated' " + numbers,
		"INSERT INTO dbo.leadsync_incidents (member_id, kind, from_at, to_at, detail) SELECT N'm', N'down', " + at + ", " + at + ", N'' " + numbers,
	} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
}
