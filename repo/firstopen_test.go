package repo_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"

	"leadsync/repo"
)

// A file that was made just now becomes one with a log by its first connection; it refuses that, without waiting, where
// others open it at the same time.
func TestANewFileIsOpenedByManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(dir, strconv.Itoa(i)), Lazy: true})
		if err != nil {
			t.Fatal(err)
		}
		var group errgroup.Group
		for range 4 {
			group.Go(func() error { _, err := db.MigrationPlan(t.Context()); return err })
		}
		group.Go(func() error { _, err := db.Migrate(t.Context()); return err })
		if err := group.Wait(); err != nil {
			t.Errorf("file %d: %v", i, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
