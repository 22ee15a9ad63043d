package sql_test

import (
	"io/fs"
	"reflect"
	"regexp"
	"strings"
	"testing"

	leadsql "leadsync/sql"
)

// In another schema no text names dbo, and every text that named it names the schema.
func TestOtherSchemas(t *testing.T) {
	texts, err := leadsql.ServerIn("crm")
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, was, is string) {
		if strings.Contains(is, "dbo") {
			t.Errorf("%s names dbo: %s", name, is)
		}
		if strings.Contains(was, "dbo") != strings.Contains(is, "crm") {
			t.Errorf("%s does not name the schema: %s", name, is)
		}
	}
	was, is := reflect.ValueOf(leadsql.SQLServer), reflect.ValueOf(*texts.Statements)
	for i := range was.NumField() {
		check(was.Type().Field(i).Name, was.Field(i).String(), is.Field(i).String())
	}
	for _, name := range sqlFiles(t, texts.Migrations) {
		before, err := fs.ReadFile(leadsql.SQLServerMigrations, name)
		if err != nil {
			t.Fatal(err)
		}
		after, err := fs.ReadFile(texts.Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, string(before), string(after))
	}
	for name, text := range texts.Preflight {
		check(name, leadsql.SQLServerPreflight[name], text)
	}
	if want := "IF OBJECT_ID(N'[crm].bitrix_leads', N'U') IS NULL"; !strings.Contains(readMigration(t, texts.Migrations, "00001_adopt.sql"), want) {
		t.Errorf("the first migration lacks %s", want)
	}
	if got := leadsql.Table("7", "leadsync_migrations"); got != "[7].leadsync_migrations" {
		t.Errorf("a table is named %s", got)
	}
	if texts, err := leadsql.ServerIn("dbo"); err != nil || texts.Statements != &leadsql.SQLServer {
		t.Errorf("dbo: %v", err)
	}
	for _, name := range []string{"", "a.b", "a]b", "a'b", "a b", "a-b", strings.Repeat("a", 129)} {
		if _, err := leadsql.ServerIn(name); err == nil {
			t.Errorf("schema %q is accepted", name)
		}
	}
}

func readMigration(t *testing.T, dir fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// right is the name of a right in a question.
var right = regexp.MustCompile(`N'(?:INSERT|UPDATE|DELETE)\b`)

// What a check asks has no other names than those of both databases' call centre.
func TestPreflightQuestionsAreReads(t *testing.T) {
	for _, texts := range []map[string]string{leadsql.SQLServerPreflight, leadsql.SQLitePreflight} {
		for name, text := range texts {
			for _, word := range []string{"INSERT", "UPDATE ", "DELETE", "DROP", "EXEC"} {
				if strings.Contains(right.ReplaceAllString(text, ""), word) {
					t.Errorf("%s: %s is in %s", name, word, text)
				}
			}
		}
	}
}
