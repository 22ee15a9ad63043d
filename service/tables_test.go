package service

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/leads/leadstest"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

// The log says what a start does before it is done, and names a migration only where that takes long.
func TestTablesAreMadeWithWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made tables
		var log leadstest.Log
		report, end := made.report(t.Context(), log.Logger())
		said := func(what string, times ...string) {
			t.Helper()
			synctest.Wait()
			for _, words := range times {
				if !strings.Contains(log.String(), words) {
					t.Errorf("%s: the log lacks %s: %s", what, words, log.String())
				}
			}
			if got := strings.Count(log.String(), "\n"); got != len(times) {
				t.Errorf("%s: the log has %d lines, want %d: %s", what, got, len(times), log.String())
			}
		}
		first := `msg="making the tables; the service accepts callbacks meanwhile" migration=1.sql step=1 of=3`
		report(repo.Making{Name: "1.sql", Step: 1, Of: 3})
		said("at once", first)
		time.Sleep(slowMigration - 1)
		report(repo.Making{Name: "2.sql", Step: 2, Of: 3})
		time.Sleep(slowMigration - 1)
		said("two that are fast", first)
		time.Sleep(slowMigration)
		slow := `msg="still making the tables; the service accepts callbacks meanwhile" migration=2.sql step=2 of=3`
		said("one that is slow", first, slow)
		report(repo.Making{Name: "3.sql", Step: 3, Of: 3})
		end()
		time.Sleep(time.Hour)
		said("the end", first, slow)
		if words := made.problem(); words != "" {
			t.Errorf("after the end: %s", words)
		}
	})
}

// The log and /readyz say what a start waits for before a migration of its own runs.
func TestTablesOfAnotherProcessAreWaitedForWithWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made tables
		var log leadstest.Log
		report, end := made.report(t.Context(), log.Logger())
		defer end()
		const waits, makes = `msg="waiting until the tables can be made: the server is slow, or another process is making them; `, `msg="making the tables; `
		time.Sleep(slowMigration - 1)
		synctest.Wait()
		if log.String() != "" || made.problem() != "" {
			t.Errorf("at once: %s %s", made.problem(), log.String())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if said := log.String(); strings.Count(said, waits) != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(made.problem(), "waiting until the tables can be made: the server is slow, or another process is making them") {
			t.Errorf("a wait: %s %s", made.problem(), said)
		}
		report(repo.Making{Name: "7.sql", Step: 3, Of: 3})
		if said := log.String(); strings.Count(said, makes) != 1 || strings.Count(said, "\n") != 2 || !strings.Contains(made.problem(), "7.sql (3 of 3)") {
			t.Errorf("the last migration is this process's: %s %s", made.problem(), said)
		}
	})
}

// A call centre's tables are not said to be made, which only a person may have done.
func TestTablesOfACallCentreAreNotMade(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "oktell.db")
	repotest.Oktell(t, url, 1)
	var log leadstest.Log
	db, err := repo.Open(t.Context(), repo.Config{URL: url, Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var made tables
	if err := made.make(t.Context(), db, log.Logger()); err == nil || strings.Contains(log.String(), "making the tables") {
		t.Errorf("%v: %s", err, log.String())
	}
}
