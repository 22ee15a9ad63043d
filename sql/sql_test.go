package sql_test

import (
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	leadsql "leadsync/sql"
)

var dialects = map[string]leadsql.Statements{"sqlserver": leadsql.SQLServer, "sqlite": leadsql.SQLite}

func TestEveryStatementHasItsText(t *testing.T) {
	for dialect, statements := range dialects {
		v := reflect.ValueOf(statements)
		for i := range v.NumField() {
			if strings.TrimSpace(v.Field(i).String()) == "" {
				t.Errorf("%s: %s is empty", dialect, v.Type().Field(i).Name)
			}
		}
	}
}

func TestEveryFileIsAStatement(t *testing.T) {
	fields := reflect.TypeFor[leadsql.Statements]().NumField()
	for dialect := range dialects {
		if got := len(sqlFiles(t, os.DirFS(dialect))); got != fields {
			t.Errorf("%s has %d files for %d statements", dialect, got, fields)
		}
	}
}

func TestBothFoldersHoldTheSameFiles(t *testing.T) {
	if diff := cmp.Diff(sqlFiles(t, os.DirFS("sqlite")), sqlFiles(t, os.DirFS("sqlserver"))); diff != "" {
		t.Errorf("statements (-sqlite +sqlserver):\n%s", diff)
	}
	if diff := cmp.Diff(sqlFiles(t, leadsql.SQLiteMigrations), sqlFiles(t, leadsql.SQLServerMigrations)); diff != "" {
		t.Errorf("migrations (-sqlite +sqlserver):\n%s", diff)
	}
}

var parameter = regexp.MustCompile(`@\w+`)

func TestBothDialectsTakeTheSameParameters(t *testing.T) {
	lite, server := reflect.ValueOf(leadsql.SQLite), reflect.ValueOf(leadsql.SQLServer)
	for i := range lite.NumField() {
		if diff := cmp.Diff(parameters(lite.Field(i).String()), parameters(server.Field(i).String())); diff != "" {
			t.Errorf("%s (-sqlite +sqlserver):\n%s", lite.Type().Field(i).Name, diff)
		}
	}
}

// Babelfish accepts some syntax that SQL Server rejects. This finds what a pattern can find.
func TestSQLServerTextHasNoForeignSyntax(t *testing.T) {
	foreign := regexp.MustCompile(`(?i)\bnow\(\)|\b(boolean|jsonb?|timestamptz|serial|merge)\b|\blimit\s+[@\d]|create or alter|select \*`)
	check := func(name, text string) {
		if hit := foreign.FindString(text); hit != "" {
			t.Errorf("%s: SQL Server does not accept %q", name, hit)
		}
	}
	v := reflect.ValueOf(leadsql.SQLServer)
	for i := range v.NumField() {
		check(v.Type().Field(i).Name, v.Field(i).String())
	}
	for _, name := range sqlFiles(t, leadsql.SQLServerMigrations) {
		text, err := fs.ReadFile(leadsql.SQLServerMigrations, name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, string(text))
	}
}

// Temporary tables are small and the others are large, so SQL Server must look rows up one by
// one. Without a hint it may read a whole table and lock it.
func TestSQLServerJoinsStagesRowByRow(t *testing.T) {
	v := reflect.ValueOf(leadsql.SQLServer)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if fault := joinFault(v.Field(i).String()); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

func TestJoinFaults(t *testing.T) {
	for _, c := range []struct{ name, statement, want string }{
		{"a join without a hint", "DELETE c FROM dbo.t AS c INNER JOIN #stage_leads AS s ON s.id = c.id", "INNER JOIN"},
		{"the table first", "DELETE c FROM dbo.t AS c INNER LOOP JOIN #stage_leads AS s ON s.id = c.id", "LOOP JOIN #stage_leads"},
		{"a list, the table first", "DELETE c FROM dbo.t AS c INNER LOOP JOIN OPENJSON(@ids) AS j ON j.value = c.id", "LOOP JOIN OPENJSON"},
		{"a list in a subquery", "DELETE FROM dbo.t WHERE id IN (SELECT j.value FROM OPENJSON(@ids) AS j) OPTION (LOOP JOIN)", "IN (SELECT"},
		{"rows that must not be there", "INSERT INTO dbo.t (id) SELECT s.id FROM #stage_leads AS s WHERE NOT EXISTS (\n    SELECT 1 FROM dbo.t AS l WHERE l.id = s.id\n)", "EXISTS"},
		{"the same by loop", "INSERT INTO dbo.t (id) SELECT s.id FROM #stage_leads AS s WHERE NOT EXISTS (SELECT 1 FROM dbo.t AS l WHERE l.id = s.id)\nOPTION (LOOP JOIN)", ""},
		{"by loop, the stage first", "DELETE c FROM #stage_leads AS s INNER LOOP JOIN dbo.t AS c ON s.id = c.id", ""},
		{"only in a comment", "-- INNER LOOP JOIN\nDELETE c FROM #stage_leads AS s INNER JOIN dbo.t AS c ON s.id = c.id", "INNER JOIN"},
		{"no temporary table", "SELECT p.id FROM dbo.p AS p LEFT JOIN dbo.o AS o ON o.id = p.id WHERE NOT EXISTS (SELECT 1)", ""},
		{"no other table", "INSERT INTO dbo.t (id) SELECT s.id FROM #stage_leads AS s", ""},
	} {
		if got := joinFault(c.statement); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

var (
	staged    = regexp.MustCompile(`#stage_|OPENJSON`)
	unforced  = regexp.MustCompile(`\w+ JOIN\b`)
	turned    = regexp.MustCompile(`LOOP JOIN (?:#stage_\w+|OPENJSON)`)
	listed    = regexp.MustCompile(`\bIN \(SELECT`)
	subquery  = regexp.MustCompile(`\bEXISTS\b`)
	forcedAll = regexp.MustCompile(`OPTION \(LOOP JOIN\)`)
)

// joinFault returns the part of a statement that lets SQL Server choose how it joins a
// temporary table; "" where there is none. A hint on a join also fixes the order of the
// tables; a hint on the statement does not.
func joinFault(statement string) string {
	text := sqlComment.ReplaceAllString(statement, "")
	if !staged.MatchString(text) {
		return ""
	}
	for _, join := range unforced.FindAllString(text, -1) {
		if join != "LOOP JOIN" {
			return join
		}
	}
	if hit := turned.FindString(text); hit != "" {
		return hit
	}
	if hit := listed.FindString(text); hit != "" {
		return hit
	}
	if forcedAll.MatchString(text) {
		return ""
	}
	return subquery.FindString(text)
}

// compared finds texts of adopted columns that are compared with other columns.
var compared = regexp.MustCompile(`(?i)\b\w\.(?:sql_error|sql_VALUE|sql_solution)\b( COLLATE DATABASE_DEFAULT)? = \w\.\w+( COLLATE DATABASE_DEFAULT)?`)

// A text column of an adopted table may have a collation of its own: SQL Server refuses to
// compare it with a column of another collation (error 468), unless both sides name one.
func TestAdoptedTextsAreComparedInOneCollation(t *testing.T) {
	v, found := reflect.ValueOf(leadsql.SQLServer), 0
	for i := range v.NumField() {
		name, text := v.Type().Field(i).Name, sqlComment.ReplaceAllString(v.Field(i).String(), "")
		if !strings.Contains(text, "bitrix_import_lead_error AS e") {
			continue // elsewhere nothing is compared by a text of an adopted table
		}
		for _, hit := range compared.FindAllStringSubmatch(text, -1) {
			found++
			if hit[1] == "" || hit[2] == "" {
				t.Errorf("%s: %s", name, hit[0])
			}
		}
	}
	if found < 2 {
		t.Errorf("%d comparisons found: the test has proved nothing", found)
	}
}

func parameters(statement string) []string {
	found := parameter.FindAllString(statement, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func sqlFiles(t *testing.T, dir fs.FS) []string {
	t.Helper()
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatal("no files")
	}
	return names
}
