package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
	"leadsync/repo"
	leadsql "leadsync/sql"
)

// microsoft opens a migrated database on Microsoft's own server. It skips the test on
// Babelfish, which ignores lock hints and has other plans.
func microsoft(t *testing.T, url string) (*repo.DB, *sql.DB) {
	t.Helper()
	raw, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	if babelfish(t, raw) {
		t.Skip("this is Babelfish, which ignores lock hints and has other plans")
	}
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, raw
}

// babelfish reports whether the server is Babelfish and not Microsoft's own.
func babelfish(t *testing.T, raw *sql.DB) bool {
	t.Helper()
	var says sql.NullString
	if err := raw.QueryRowContext(t.Context(), "SELECT CONVERT(nvarchar(10), SERVERPROPERTY('Babelfish'))").Scan(&says); err != nil {
		t.Fatal(err)
	}
	return says.String == "1"
}

// microsoftLocks wants Apply to lock the rows that it looks up, and the gaps where rows are
// missing, so that no other transaction can insert them. The lock of a gap takes its end with
// it: lead 9 is locked because 5 is missing, lead 20 is free. Nobody who reads waits.
func microsoftLocks(t *testing.T, url string) {
	t.Helper()
	db, raw := microsoft(t, url)
	if _, err := db.Apply(t.Context(), []leads.Snapshot{sighting(t, 1, `{"ID":"1"}`), sighting(t, 9, `{"ID":"9"}`), sighting(t, 20, `{"ID":"20"}`)}); err != nil {
		t.Fatal(err)
	}
	tx, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), leadsql.SQLServer.LeadsLock, sql.Named("member_id", "m"), sql.Named("ids", "[1,5]")); err != nil {
		t.Fatal(err)
	}
	const touch, neighbour, fill = "UPDATE dbo.bitrix_leads SET revision = 7 WHERE member_id = N'm' AND sql_ID = 1",
		"UPDATE dbo.bitrix_leads SET revision = 7 WHERE member_id = N'm' AND sql_ID = 9",
		"INSERT INTO dbo.bitrix_leads (member_id, sql_ID, read_ticket, revision) VALUES (N'm', 5, 0, 0)"
	for _, statement := range []string{touch, neighbour, fill} {
		var e mssql.Error
		if err := impatient(t.Context(), raw, statement); !errors.As(err, &e) || e.Number != 1222 {
			t.Errorf("%s: %v, want it to wait for the lock", statement, err)
		}
	}
	if err := impatient(t.Context(), raw, "UPDATE dbo.bitrix_leads SET revision = 7 WHERE member_id = N'm' AND sql_ID = 20"); err != nil {
		t.Errorf("a lead that was not looked up is locked: %v", err)
	}
	if err := impatient(t.Context(), raw, "SELECT l.sql_TITLE FROM dbo.bitrix_leads AS l WHERE l.member_id = N'm'"); err != nil {
		t.Errorf("a reader waits for rows that are only looked up: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := impatient(t.Context(), raw, fill); err != nil {
		t.Errorf("after the transaction: %v", err)
	}
}

// impatient runs a statement that waits at most two seconds for locks.
func impatient(ctx context.Context, raw *sql.DB, statement string) error {
	conn, err := raw.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET LOCK_TIMEOUT 2000"); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, statement)
	return errors.Join(err, ignoring(conn.ExecContext(ctx, "SET LOCK_TIMEOUT -1")))
}

func ignoring(_ sql.Result, err error) error { return err }

// setStatements join temporary tables or lists with the mirror's tables. rows is how many
// rows a statement affects for a list or a temporary table of one lead.
var setStatements = []struct {
	name, statement string
	rows            int64
}{
	{"leads_update", leadsql.SQLServer.LeadsUpdate, 1},
	{"leads_insert", leadsql.SQLServer.LeadsInsert, 1},
	{"leads_mark", leadsql.SQLServer.LeadsMark, 1},
	{"contacts_delete", leadsql.SQLServer.ContactsDelete, 1},
	{"contacts_add", leadsql.SQLServer.ContactsAdd, 1},
	{"phones_delete", leadsql.SQLServer.PhonesDelete, 1},
	{"phones_insert", leadsql.SQLServer.PhonesInsert, 1},
	{"fields_delete", leadsql.SQLServer.FieldsDelete, 1},
	{"solution_delete", leadsql.SQLServer.SolutionDelete, 1},
	{"callbacks_update", leadsql.SQLServer.CallbacksUpdate, 1},
	{"callbacks_insert", leadsql.SQLServer.CallbacksInsert, 0},
	{"failing_delete", leadsql.SQLServer.FailingDelete, 1},
	{"outbox_delete", leadsql.SQLServer.OutboxDelete, 1},
}

// stages creates the temporary tables in a session, as the service does. It inserts size
// leads of the mirror into each, and as many new leads into #stage_leads. declared are the
// parameters with the same leads. (The temporary tables of a batch without parameters belong
// to the session.)
func stages(t *testing.T, conn *sql.Conn, size int) (declared string) {
	t.Helper()
	const from = " FROM dbo.bitrix_leads AS l WHERE l.member_id = N'm' AND l.sql_ID <= "
	for _, statement := range []string{
		leadsql.SQLServer.StageLeadsCreate, leadsql.SQLServer.StagePhonesCreate,
		"INSERT INTO #stage_leads (member_id, sql_ID, was_ticket, read_ticket, revision) SELECT l.member_id, l.sql_ID, l.read_ticket, l.read_ticket + 1, 2" + from,
		"INSERT INTO #stage_leads (member_id, sql_ID, read_ticket, revision) SELECT l.member_id, l.sql_ID + 1000000, 1, 1" + from,
		"INSERT INTO #stage_phones (digits10, member_id, lead_id, position, repeated, closed) SELECT N'9000000000', l.member_id, l.sql_ID, 2, 0, 0" + from,
	} {
		if strings.HasSuffix(statement, from) {
			statement += strconv.Itoa(size)
		}
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
	var ticket int64
	if err := conn.QueryRowContext(t.Context(), "SELECT MAX(l.read_ticket) FROM dbo.bitrix_leads AS l").Scan(&ticket); err != nil {
		t.Fatal(err)
	}
	list := func(row func(id int) string) string {
		rows := make([]string, size)
		for i := range size {
			rows[i] = row(i + 1)
		}
		return "nvarchar(max) = N'[" + strings.Join(rows, ",") + "]'"
	}
	keys := func(table, id, lead string) string {
		statement := fmt.Sprintf("SELECT t.%s FROM dbo.%s AS t WHERE t.%s <= %d ORDER BY t.%s", id, table, lead, size, id)
		ids := numbers(t, conn, statement)
		return list(func(i int) string { return strconv.FormatInt(ids[i-1], 10) })
	}
	return "DECLARE @member_id nvarchar(64) = N'm', @ids " + list(strconv.Itoa) +
		", @rows " + list(func(id int) string {
		return fmt.Sprintf(`{"lead_id":%d,"event":"E","received_at":"2026-11-24T10:00:00.000Z"}`, id)
	}) + ", @marks " + list(func(id int) string {
		return fmt.Sprintf(`{"member_id":"m","sql_ID":%d,"was_ticket":%d,"read_ticket":%d,"revision":2}`, id, ticket, ticket+1)
	}) + ", @contacts " + list(func(id int) string {
		return fmt.Sprintf(`{"member_id":"m","sql_LEAD_ID":%d,"sql_VALUE":"^q"}`, id)
	}) + ", @fields_gone " + list(func(id int) string {
		return fmt.Sprintf(`{"member_id":"m","lead_id":%d,"field":"UF_CRM_S","position":0}`, id)
	}) + ", @contacts_gone " + keys("bitrix_lead_contacts", "Id", "sql_LEAD_ID") +
		", @phones_gone " + keys("leadsync_phones", "id", "lead_id") +
		", @solutions_gone " + keys("bitrix_lead_solution", "Id", "sql_LEAD_ID") + ";\n"
}

// numbers reads a list of numbers.
func numbers(t *testing.T, conn *sql.Conn, statement string) (list []int64) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// named are the parameters of a statement that declared lacks, as the service declares them.
func named(declared, statement string) string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, name := range regexp.MustCompile(`@\w+`).FindAllString(statement, -1) {
		if seen[name] || strings.Contains(declared, name+" ") {
			continue
		}
		seen[name] = true
		kind := "nvarchar(4000)"
		if name == "@sql_ID" || strings.HasSuffix(name, "_ticket") || name == "@revision" {
			kind = "bigint = 7"
		}
		b.WriteString("DECLARE " + name + " " + kind + ";\n")
	}
	return declared + b.String() + statement
}

// fillMirror inserts that many leads into an empty, migrated mirror, each with a row in every
// other table.
func fillMirror(t *testing.T, url string, size int) {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: url, SolutionField: "UF_CRM_S"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var batch []leads.Snapshot
	var callbacks []leads.LastCallback
	for id := int64(1); id <= int64(size); id++ {
		batch = append(batch, sighting(t, id, fmt.Sprintf(`{"ID":"%d","UF_CRM_S":"s","PHONE":[{"ID":"%d","VALUE":"+7 900 %07d","TYPE_ID":"PHONE"}]}`, id, id, id)))
		callbacks = append(callbacks, leads.LastCallback{LeadID: id, Event: "E", ReceivedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)})
	}
	if _, err := db.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := db.NoteCallbacks(t.Context(), "m", callbacks); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	const failures = "INSERT INTO dbo.leadsync_failures (member_id, lead_id, event, reason, attempts, first_at, last_at) " +
		"SELECT c.member_id, c.lead_id, c.event, N'r', 1, c.received_at, c.received_at FROM dbo.leadsync_callbacks AS c"
	if _, err := raw.ExecContext(t.Context(), failures); err != nil {
		t.Fatal(err)
	}
}

// session opens a connection of its own.
func session(t *testing.T, url string) *sql.Conn {
	t.Helper()
	raw, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	conn, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// stagesTouchTheirRows runs each of the statements alone and wants it to affect only the rows
// of the temporary table.
func stagesTouchTheirRows(t *testing.T, url string) {
	t.Helper()
	const size = 7
	fillMirror(t, url, 3*size)
	conn := session(t, url)
	declared := stages(t, conn, size)
	for _, set := range setStatements {
		tx, err := conn.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		result, err := tx.ExecContext(t.Context(), declared+set.statement)
		if err != nil {
			t.Fatalf("%s: %v", set.name, err)
		}
		if n, err := result.RowsAffected(); err != nil || n != size*set.rows {
			t.Errorf("%s touched %d rows, %v; want %d", set.name, n, err, size*set.rows)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// scans finds in a plan which tables are read from one end to the other.
var scans = regexp.MustCompile(`(?s)PhysicalOp="(?:Table Scan|Clustered Index Scan|Index Scan)".*?<Object [^>]*Table="\[([^\]]+)\]"`)

// microsoftPlans wants what is asked all the time to be found by indexes alone. A thousand
// leads are staged: left to itself the server would rather read five thousand than look up
// each.
func microsoftPlans(t *testing.T, url string) {
	t.Helper()
	microsoft(t, url)
	fillMirror(t, url, 5000)
	fillHistory(t, url, 5000)
	conn := session(t, url)
	declared := stages(t, conn, 1000)
	if _, err := conn.ExecContext(t.Context(), "SET SHOWPLAN_XML ON"); err != nil {
		t.Fatal(err)
	}
	wantSeeks(t, conn, "lookup by phone", "SELECT c.lead_id, c.[rank] FROM dbo.bitrix_lead_by_phone(N'+7 900 0000017') AS c ORDER BY c.[rank]")
	wantSeeks(t, conn, "leads_lock", declared+leadsql.SQLServer.LeadsLock)
	s := leadsql.SQLServer
	for name, statement := range map[string]string{
		"leads_look": s.LeadsLook, "contacts_look": s.ContactsLook, "phones_look": s.PhonesLook, "fields_look": s.FieldsLook,
		"solution_look": s.SolutionLook, "callback_list": s.CallbackList, "row_get": s.RowGet, "row_get_contacts": s.RowGetContacts, "row_get_fields": s.RowGetFields,
		"row_get_phones": s.RowGetPhones, "row_get_solutions": s.RowGetSolutions,
		"failure_payload": strings.NewReplacer("@member_id", "N'm'", "@lead_id", "N'17'").Replace(s.FailurePayload),
	} {
		wantSeeks(t, conn, name, declared+statement)
	}
	// A range's plan follows the values that it is first asked with, which variables hide.
	literal := strings.NewReplacer("@member_id", "N'm'", "@after", "17", "@up_to", "18", "@limit", "2")
	for name, statement := range map[string]string{
		"row_range": s.RowRange, "row_range_contacts": s.RowRangeContacts, "row_range_fields": s.RowRangeFields,
		"row_range_phones": s.RowRangePhones, "row_range_solutions": s.RowRangeSolutions,
	} {
		wantSeeks(t, conn, name, literal.Replace(statement))
	}
	for _, set := range setStatements {
		wantSeeks(t, conn, set.name, declared+set.statement)
	}
	pollsSeek(t, conn)
	wantSeeks(t, conn, "lead_update", named(declared, s.LeadUpdate))
	wantSeeks(t, conn, "lead_insert", named(declared, s.LeadInsert))
}

// wantSeeks reads the plan of a statement, on a session that shows plans and runs nothing.
// The stages may be scanned.
func wantSeeks(t *testing.T, conn *sql.Conn, name, statement string) {
	t.Helper()
	var plan string
	if err := conn.QueryRowContext(t.Context(), statement).Scan(&plan); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if fault := scanned(plan); fault != "" {
		t.Errorf("%s scans %s: %s", name, fault, plan)
	}
}

// scanned returns a table of leadsync that a plan reads completely; "" where there is none.
func scanned(plan string) string {
	for _, hit := range scans.FindAllStringSubmatch(plan, -1) {
		if !strings.HasPrefix(hit[1], "#") && mayScan[hit[1]] == "" {
			return hit[1]
		}
	}
	return ""
}

func TestScansAreSeenInPlans(t *testing.T) {
	const seek = `<RelOp PhysicalOp="Clustered Index Seek"><IndexScan><Object Database="[d]" Schema="[dbo]" Table="[bitrix_leads]" Index="[i]" /></IndexScan></RelOp>`
	stage := strings.NewReplacer("Seek", "Scan", "bitrix_leads", "#stage_leads").Replace(seek)
	for _, c := range []struct{ name, plan, want string }{
		{"a seek", seek, ""},
		{"a scan of a stage, then a seek", stage + seek, ""},
		{"a scan of a stage, then of a table", stage + strings.Replace(seek, "Seek", "Scan", 1), "bitrix_leads"},
		{"a heap", strings.Replace(seek, "Clustered Index Seek", "Table Scan", 1), "bitrix_leads"},
		{"a small table", strings.NewReplacer("Seek", "Scan", "bitrix_leads", "leadsync_portals").Replace(seek), ""},
	} {
		if got := scanned(c.plan); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
