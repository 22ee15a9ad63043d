package repo_test

import (
	"path/filepath"
	"sync"
	"testing"

	"leadsync/repo"
	leadsql "leadsync/sql"
)

// Another replica makes the tables just before this one looks whether a call centre's are there.
func TestTablesOfAnotherReplicaAreNoCallCentres(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	other, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var once sync.Once
	migrated := false
	calls := &recorder{asked: func(text string) {
		if text == leadsql.SQLite.AdoptTables {
			once.Do(func() {
				_, err := other.Migrate(t.Context())
				migrated = err == nil
			})
		}
	}}
	db, err := repo.OpenThrough(t.Context(), repo.Config{URL: url}, calls.wrap)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if foreign, err := db.NeedsAdoption(t.Context()); foreign || err != nil || !migrated {
		t.Errorf("a call centre's tables: %v, %v (the other replica has migrated: %v)", foreign, err, migrated)
	}
}
