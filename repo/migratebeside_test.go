package repo_test

import (
	"path/filepath"
	"slices"
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

// Each migration is reported before it runs.
func TestMigrationsAreReportedBefore(t *testing.T) {
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	plan, err := db.MigrationPlan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reports := 0
	applied, err := db.MigrateStepwise(t.Context(), func(m repo.Making) {
		missing, err := db.MigrationPlan(t.Context())
		if want := (repo.Making{Name: plan[reports], Step: reports + 1, Of: len(plan)}); err != nil || m != want || len(missing) != len(plan)-reports {
			t.Errorf("%+v, want %+v; %v are missing, %v", m, want, missing, err)
		}
		reports++
	})
	if err != nil || len(applied) != len(plan) || reports != len(plan) {
		t.Errorf("%v are applied, %d reported, want %v; %v", applied, reports, plan, err)
	}
}

// Another replica makes the tables while this one waits to begin a transaction: its first makes the list of migrations.
func TestMigrationsOfAnotherReplicaAreNotReported(t *testing.T) {
	for begin, want := range []int{0, 0, 1} { // how many of the migrations are this one's
		url := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
		other, err := repo.Open(t.Context(), repo.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		calls, made, n := &recorder{}, 0, 0
		var waits func()
		waits = func() {
			if n == begin {
				theirs, err := other.Migrate(t.Context())
				if made = len(theirs); err != nil {
					t.Error(err)
				}
				return
			}
			n++
			calls.before = waits
		}
		calls.before = waits
		db, err := repo.OpenThrough(t.Context(), repo.Config{URL: url}, calls.wrap)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		plan, err := db.MigrationPlan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var reported []string
		applied, err := db.MigrateStepwise(t.Context(), func(m repo.Making) { reported = append(reported, m.Name) })
		if err != nil || !slices.Equal(applied, plan[:want]) || !slices.Equal(reported, applied) || made != len(plan)-want {
			t.Errorf("transaction %d: %v are applied, %v reported, want %v; the other replica has made %d; %v", begin, applied, reported, plan[:want], made, err)
		}
	}
}
