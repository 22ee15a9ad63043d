package repotest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"leadsync/repo"
)

// Migrated opens an empty SQLite database that has all tables. Its file is a copy of one that
// is migrated once in a process, because migrating takes longer than most tests.
func Migrated(tb testing.TB) *repo.DB {
	tb.Helper()
	content, err := template()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "mirror.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := repo.Open(tb.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// template is the file of a migrated database.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "migrated")
	if err != nil {
		return nil, fmt.Errorf("migrate a template: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "mirror.db")
	db, err := repo.Open(context.Background(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		return nil, err
	}
	_, err = db.Migrate(context.Background())
	if closed := db.Close(); err == nil {
		err = closed // with it everything is in the one file
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // in a directory of our own
})
