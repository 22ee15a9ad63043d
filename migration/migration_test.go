package migration_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/doctor"
	"leadsync/migration"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

// oktell is the call centre's database with so many leads, as it can be changed by hand and as it is migrated.
func oktell(t *testing.T, leads int) (alter func(string) error, run func(func(migration.Migration, context.Context) error) (string, error)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "oktell.db")
	repotest.Oktell(t, "sqlite:"+path, leads)
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	alter = func(statement string) error {
		_, err := raw.ExecContext(t.Context(), statement)
		return err
	}
	return alter, func(what func(migration.Migration, context.Context) error) (string, error) {
		db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var out strings.Builder
		err = what(migration.Migration{DB: db, Out: &out, Paint: func(_ doctor.Level, words string) string { return words }}, t.Context())
		return out.String(), err
	}
}

func TestMigrateStopsBeforeAnythingHasChanged(t *testing.T) {
	t.Parallel()
	alter, run := oktell(t, 50)
	for _, statement := range []string{"ALTER TABLE bitrix_leads RENAME COLUMN sql_OPENED TO opened", "CREATE TRIGGER stranger AFTER INSERT ON bitrix_leads BEGIN SELECT 1; END"} {
		if err := alter(statement); err != nil {
			t.Fatal(err)
		}
	}
	for name, what := range map[string]func(migration.Migration, context.Context) error{"plan": migration.Migration.Plan, "up": migration.Migration.Up} {
		text, err := run(what)
		if err == nil || !strings.Contains(err.Error(), "nothing has changed") ||
			!strings.Contains(text, "stops  columns      bitrix_leads has no column sql_OPENED") || !strings.Contains(text, "warns  triggers     the trigger stranger") {
			t.Errorf("%s: %v: %.2000s", name, err, text)
		}
		if alter("SELECT member_id FROM bitrix_leads") == nil {
			t.Fatalf("%s has changed the tables", name)
		}
	}
	if err := alter("ALTER TABLE bitrix_leads RENAME COLUMN opened TO sql_OPENED"); err != nil {
		t.Fatal(err)
	}
	text, err := run(migration.Migration.Plan)
	first, between, last := strings.Index(text, "pending: 00001_adopt.sql"), strings.Index(text, "in transactions of 2,000 rows"), strings.Index(text, "pending: 00002_mirror.sql")
	if err != nil || first < 0 || between < first || last < between {
		t.Errorf("the plan has its parts at %d, %d and %d: %v", first, between, last, err)
	}
	if text, err := run(migration.Migration.Up); err != nil || !strings.Contains(text, "50 leads belong to no portal yet") || !strings.Contains(text, "What comes next") {
		t.Errorf("%v: %s", err, text)
	}
}

// A database that is up to date still has leads of no portal, which is said each time; and what was added can be removed.
func TestMigratingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	_, run := oktell(t, 1)
	for _, want := range []string{"  1 lead belongs to no portal yet\n", "the tables are up to date\n1 lead of an adopted database belongs to no portal: say whose"} {
		if text, err := run(migration.Migration.Up); err != nil || !strings.Contains(text, want) {
			t.Errorf("%v: %s lacks %s", err, text, want)
		}
	}
	for _, want := range []string{"undone 00002_mirror.sql", "nothing to remove"} {
		if text, err := run(migration.Migration.Down); err != nil || !strings.Contains(text, want) {
			t.Errorf("%v: %s lacks %s", err, text, want)
		}
	}
}
