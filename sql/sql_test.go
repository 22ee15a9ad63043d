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

// What the test peer lets pass and SQL Server refuses, as far as a pattern can tell.
func TestSQLServerTextAvoidsWhatOnlyThePeerAccepts(t *testing.T) {
	foreign := regexp.MustCompile(`(?i)\bnow\(\)|\b(boolean|jsonb?|timestamptz|serial|merge)\b|\blimit\s+[@\d]|create or alter|select \*`)
	check := func(name, text string) {
		if hit := foreign.FindString(text); hit != "" {
			t.Errorf("%s: %q is not for SQL Server", name, hit)
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
