package repo_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
	leadsql "leadsync/sql"
)

// million is the number of leads of a large call centre.
const million = 1_000_000

// byKey reads the same columns of one lead by its key, (member_id, sql_ID), with the
// portal's address. bare reads them by the table's own Id and does not process them; no
// lookup can be faster than that.
func byKey(dialect string) string {
	text := leadsql.SQLServer.CardGet
	if dialect == "sqlite" {
		text = leadsql.SQLite.CardGet
	}
	return strings.Replace(text, ",\n    l.revision,\n    l.deleted_at,\n    l.raw_json", "", 1)
}

const bare = `SELECT l.member_id, l.sql_ID, l.sql_TITLE, l.sql_LAST_NAME, l.sql_NAME, l.sql_SECOND_NAME, l.sql_COMPANY_TITLE, l.sql_ASSIGNED_BY_ID,
	l.sql_STATUS_ID, l.sql_STATUS_SEMANTIC_ID, l.date_create_at, l.date_modify_at, l.read_at FROM bitrix_leads AS l WHERE l.Id = @lead_id`

// largeMirror is a mirror with many leads.
type largeMirror struct {
	db        *repo.DB
	raw       *sql.DB
	key, bare *sql.Stmt
	n         int
}

func newLargeMirror(tb testing.TB, server repotest.Server, n int) *largeMirror {
	tb.Helper()
	url := server.URL(tb)
	db, err := repo.Open(tb.Context(), repo.Config{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := db.SavePortal(tb.Context(), leads.Portal{MemberID: repotest.FilledMember, Domain: "one.bitrix24.ru", State: leads.PortalActive}); err != nil {
		tb.Fatal(err)
	}
	repotest.Fill(tb, url, n)
	driver, dsn := "sqlserver", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, dsn = "sqlite", path
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = raw.Close() })
	c := &largeMirror{db: db, raw: raw, n: n}
	c.key, c.bare = c.prepare(tb, byKey(db.Dialect())), c.prepare(tb, bare)
	return c
}

func (c *largeMirror) prepare(tb testing.TB, text string) *sql.Stmt {
	tb.Helper()
	statement, err := c.raw.PrepareContext(tb.Context(), text)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = statement.Close() })
	return statement
}

func (c *largeMirror) lookUp(ctx context.Context, tb testing.TB) {
	tb.Helper()
	found, err := c.db.Callers(ctx, repotest.FilledDigits(1+rand.IntN(c.n)), 50)
	if err != nil || len(found) == 0 {
		tb.Fatalf("%v, %v", found, err)
	}
}

func (c *largeMirror) readByKey(ctx context.Context, tb testing.TB) {
	tb.Helper()
	into := make([]any, 12)
	scan(ctx, tb, c.key, into, sql.Named("member_id", repotest.FilledMember), sql.Named("lead_id", 1+rand.IntN(c.n)))
}

func (c *largeMirror) readBare(ctx context.Context, tb testing.TB) {
	tb.Helper()
	scan(ctx, tb, c.bare, make([]any, 13), sql.Named("lead_id", 1+rand.IntN(c.n)))
}

func scan(ctx context.Context, tb testing.TB, statement *sql.Stmt, into []any, args ...any) {
	tb.Helper()
	dest := make([]any, len(into))
	for i := range into {
		dest[i] = &into[i]
	}
	if err := statement.QueryRowContext(ctx, args...).Scan(dest...); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkLookup compares a lookup by number with reads of one lead by its keys, among a
// million leads with 1.3 million numbers; on a server among a tenth of them.
func BenchmarkLookup(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmarkLookup(b, newLargeMirror(b, repotest.SQLite(), million)) })
	b.Run("SQLServer", func(b *testing.B) { benchmarkLookup(b, newLargeMirror(b, sqlServer(b), million/10)) })
}

func benchmarkLookup(b *testing.B, c *largeMirror) {
	b.Helper()
	single := 0.0
	for _, kind := range []struct {
		name string
		do   func(context.Context, testing.TB)
	}{{"primary key", c.readBare}, {"member_id and sql_ID", c.readByKey}, {"number", c.lookUp}} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				kind.do(b.Context(), b)
			}
			each := b.Elapsed().Seconds() / float64(b.N)
			if single == 0 {
				single = each
			}
			b.ReportMetric(each/single, "x-key")
		})
	}
}

// TestLookupAmongAMillion wants a lookup to cost at most three reads by primary key, taken
// in turns, and prints how long each takes.
func TestLookupAmongAMillion(t *testing.T) {
	if os.Getenv("LEADSYNC_TEST_SCALE") == "" {
		t.Skip("takes minutes: make test-scale")
	}
	t.Run("SQLite", func(t *testing.T) { lookupsAndReads(t, newLargeMirror(t, repotest.SQLite(), million)) })
	t.Run("SQLServer", func(t *testing.T) { lookupsAndReads(t, newLargeMirror(t, sqlServer(t), million/10)) })
}

func lookupsAndReads(t *testing.T, c *largeMirror) {
	t.Helper()
	const rounds = 20_000
	kinds := []struct {
		name string
		do   func(context.Context, testing.TB)
	}{{"by member_id and sql_ID", c.readByKey}, {"by number", c.lookUp}, {"by primary key", c.readBare}}
	took := make([][]time.Duration, len(kinds))
	for range rounds {
		for i, kind := range kinds {
			begin := time.Now()
			kind.do(t.Context(), t)
			took[i] = append(took[i], time.Since(begin))
		}
	}
	for i, kind := range kinds {
		slices.Sort(took[i])
		at := func(q float64) time.Duration { return took[i][int(q*rounds)].Round(time.Microsecond) }
		t.Logf("%d leads, %s: p50 %v, p99 %v, p99.9 %v", c.n, kind.name, at(0.5), at(0.99), at(0.999))
	}
	times := func(i int) float64 { return took[1][rounds/2].Seconds() / took[i][rounds/2].Seconds() }
	t.Logf("a lookup costs %.2f reads by primary key, %.2f reads of the same columns by (member_id, sql_ID)", times(2), times(0))
	if times(2) > 3 {
		t.Errorf("a lookup costs %.2f reads by primary key, want at most 3", times(2))
	}
}

// Every query of the call centre must use indexes.
func TestSQLiteLooksUpWithoutScans(t *testing.T) {
	raw := newLargeMirror(t, repotest.SQLite(), 10).raw
	if _, err := raw.Exec("CREATE TABLE missed_calls (phone TEXT, at TEXT); CREATE INDEX ix ON missed_calls (at)"); err != nil {
		t.Fatal(err)
	}
	scans := regexp.MustCompile(`SCAN [a-z]\b`) // aliases of tables have one letter; a longer name is a temporary result
	for _, c := range []struct{ name, query string }{
		{"lookup", leadsql.SQLite.CallersList},
		{"one card", leadsql.SQLite.CardGet},
		{"open leads of a number", "SELECT * FROM bitrix_open_leads WHERE digits10 = @digits10"},
		{"a report's lead", "SELECT * FROM bitrix_phone_leads WHERE digits10 = @digits10"},
		{"a report", "SELECT c.phone, l.company FROM missed_calls AS c INNER JOIN bitrix_phone_leads AS l ON l.digits10 = substr(c.phone, -10) WHERE c.at > 'x'"},
		{
			"a report with strangers",
			"SELECT c.phone, (SELECT l.company FROM bitrix_phone_leads AS l WHERE l.digits10 = substr(c.phone, -10)) FROM missed_calls AS c WHERE c.at > 'x'",
		},
		{"numbers replaced", "DELETE FROM leadsync_phones WHERE member_id = 'm' AND lead_id = 1"},
	} {
		if plan := planOf(t, raw, c.query); scans.MatchString(plan) {
			t.Errorf("%s:\n%s", c.name, plan)
		}
	}
}

func planOf(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var args []any
	for _, name := range []string{"digits10", "limit", "member_id", "lead_id"} {
		if strings.Contains(query, "@"+name) {
			args = append(args, sql.Named(name, 1))
		}
	}
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, detail)
	}
	if rows.Err() != nil || plan.Len() == 0 {
		t.Fatal("no plan", rows.Err())
	}
	return plan.String()
}

// The statements of docs/callcentre.md must run when they are copied.
func TestSQLiteRunsWhatTheDocumentationSays(t *testing.T) {
	raw := newLargeMirror(t, repotest.SQLite(), 10).raw
	runDocumented(t, raw, "sqlite", "CREATE TABLE missed_calls (phone TEXT, called_at TEXT)")
	for _, statement := range blocksOf(t, "reconciliation.md", "sqlite") {
		if err := readAll(t.Context(), raw, statement); err != nil {
			t.Errorf("%s\n%v", statement, err)
		}
	}
}

// documented runs the T-SQL of docs/callcentre.md, without the statements about logins that
// do not exist here.
func documented(t *testing.T, server repotest.Server) {
	t.Helper()
	raw := newLargeMirror(t, server, 10).raw
	const drop = "IF OBJECT_ID(N'dbo.missed_calls', N'U') IS NOT NULL DROP TABLE dbo.missed_calls"
	runDocumented(t, raw, "sql", drop, "CREATE TABLE dbo.missed_calls (phone nvarchar(50) NULL, called_at datetime NULL)",
		"INSERT INTO dbo.missed_calls (phone, called_at) VALUES (N'89000000005', GETDATE()), (N'84950000000', GETDATE())")
	if _, err := raw.ExecContext(t.Context(), drop); err != nil {
		t.Error(err)
	}
}

func runDocumented(t *testing.T, db *sql.DB, language string, before ...string) {
	t.Helper()
	for _, statement := range append(before, blocksOf(t, "callcentre.md", language)...) {
		if strings.HasPrefix(statement, "ALTER ROLE") {
			continue
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s\n%v", statement, err)
		}
	}
}

// firstHour runs the queries that docs/sqlserver.md gives administrators.
func firstHour(t *testing.T, server repotest.Server) {
	t.Helper()
	raw := newLargeMirror(t, server, 10).raw
	statements := blocksOf(t, "sqlserver.md", "sql")
	if len(statements) < 10 {
		t.Errorf("the page has %d statements", len(statements))
	}
	for _, statement := range append(statements, blocksOf(t, "reconciliation.md", "sql")...) {
		if strings.HasPrefix(statement, "-- not on Babelfish") && babelfish(t, raw) {
			continue
		}
		if err := readAll(t.Context(), raw, statement); err != nil {
			t.Errorf("%s\n%v", statement, err)
		}
	}
}

// A page with statements is one of those that tests run.
func TestEveryStatementOfThePagesIsRun(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		run := slices.Contains([]string{
			"callcentre.md", "sqlserver.md", "reconciliation.md", "operations.md",
			"windows.md", // the login of an account of Windows, which no server here knows
		}, filepath.Base(page))
		if !run && regexp.MustCompile("(?m)^ *```(?:sql|sqlite)$").Match(text) {
			t.Errorf("%s has statements that no test runs: see blocksOf", page)
		}
	}
}

// blocksOf are the blocks of code of a page in docs, in one language.
func blocksOf(t *testing.T, page, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^ *```"+language+"\n(.*?)^ *```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(block[1]))
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no statements in %s", page, language)
	}
	return blocks
}

// readAll reads a result to its end: errors may come late.
func readAll(ctx context.Context, raw *sql.DB, statement string) error {
	rows, err := raw.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() { // nobody looks at the values
	}
	return rows.Err()
}
