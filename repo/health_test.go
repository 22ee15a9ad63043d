package repo_test

import (
	"maps"
	"strings"
	"testing"

	"leadsync/repo"
)

// Each judge gets the rows that SQL Server's documentation says its catalogue would have.
func TestHealthJudges(t *testing.T) {
	t.Parallel()
	database := row{"collation_name": "Cyrillic_General_CI_AS", "compatibility_level": "150", "rcsi": "1", "recovery": "FULL", "read_only": "0", "schema_id": "1"}
	with := func(name, value string) row {
		of := maps.Clone(database)
		of[name] = value
		return of
	}
	file := func(kind, used, most, growth string) row {
		return row{"type": kind, "bytes": "1000000000.0", "used": used, "max_size": most, "growth": growth}
	}
	const full, some = "950000000.0", "500000000.0"
	log := file("1", some, "-1", "0")
	statistic := row{"table": "leadsync_phones", "statistic": "ix", "rows": "100000", "changed": "10"}
	for _, c := range []struct {
		name, check string
		rows        []row
		severity    repo.Severity // the worst
		words       string
	}{
		{"all is well", "database", []row{database}, repo.Tells, "Cyrillic_General_CI_AS"},
		{"an old level", "database", []row{with("compatibility_level", "110")}, repo.Stops, "COMPATIBILITY_LEVEL"},
		{"readers wait", "database", []row{with("rcsi", "0")}, repo.Warns, "READ_COMMITTED_SNAPSHOT"},
		{"capitals differ", "database", []row{with("collation_name", "Latin1_General_CS_AS")}, repo.Warns, "capital"},
		{"read-only", "database", []row{with("read_only", "1")}, repo.Stops, "read-only"},
		{"a right is missing", "rights", []row{{"right": "DELETE", "table": "bitrix_leads"}}, repo.Stops, "grants.sql"},
		{"no right is missing", "rights", nil, repo.Tells, "has the rights"},
		{"a full file", "room", []row{file("0", full, "-1", "0"), log}, repo.Warns, "enlarge the data files"},
		{"a full log", "room", []row{file("0", some, "-1", "0"), file("1", full, "-1", "0")}, repo.Warns, "enlarge the log"},
		{"room in files", "room", []row{file("0", some, "-1", "0"), log}, repo.Tells, "477 MB of 954 MB are free in the data files"},
		{"room in the log", "room", []row{file("0", some, "-1", "0"), log}, repo.Tells, "477 MB of 954 MB are free in the log"},
		{"a file that grows", "room", []row{file("0", full, "-1", "8192"), log}, repo.Tells, "not checked: the room on the server's disk, on which the data files"},
		{"a log that grows", "room", []row{file("0", some, "-1", "0"), file("1", full, "268435456", "8192")}, repo.Tells, "not checked: the room on the server's disk, on which the log"},
		{"a file that has nearly grown to its end", "room", []row{file("0", full, "128000", "8192"), log}, repo.Warns, "cannot grow beyond"},
		{"a file beside one that grows", "room", []row{file("0", full, "-1", "0"), file("0", full, "-1", "8192"), log}, repo.Tells, "not checked: the room on the server's disk"},
		{"no files", "room", nil, repo.Tells, "not checked: the room in the data files"},
		{"an offline file", "room", []row{file("0", "", "-1", "0"), log}, repo.Tells, "not checked: the room in the data files"},
		{"old statistics", "statistics", []row{{"table": "leadsync_phones", "statistic": "ix", "rows": "100000", "changed": "90000"}}, repo.Warns, "UPDATE STATISTICS dbo.leadsync_phones"},
		{"new statistics", "statistics", []row{statistic}, repo.Tells, "the 1 statistics of leadsync's tables that the server shows are up to date"},
		{"statistics of an empty table", "statistics", []row{{"table": "leadsync_phones", "statistic": "ix", "rows": "", "changed": ""}}, repo.Tells, "up to date"},
		{"some statistics", "statistics", []row{statistic, {"table": "leadsync_runs"}}, repo.Tells, "not checked: the server shows no statistics of leadsync_runs"},
		{"no statistics", "statistics", []row{{"table": "leadsync_runs"}}, repo.Tells, "not checked: the server shows no statistics of leadsync's tables"},
	} {
		worst, hit := repo.Tells, false
		for _, condition := range repo.JudgeHealth(c.check, c.rows...) {
			if condition.Severity == repo.Stops || condition.Severity == repo.Warns && worst == repo.Tells {
				worst = condition.Severity
			}
			hit = hit || condition.Severity == c.severity && strings.Contains(condition.Found+" "+condition.Do, c.words)
		}
		if !hit || worst != c.severity {
			t.Errorf("%s: the worst %s, want one that %s with %q: %+v", c.name, worst, c.severity, c.words, repo.JudgeHealth(c.check, c.rows...))
		}
	}
}

// A compatible server that calls itself old and reads JSON all the same has no fault.
func TestHealthBelievesTheServerNotItsLevel(t *testing.T) {
	t.Parallel()
	found := repo.JudgeHealthWithJSON("database", row{"compatibility_level": "120", "rcsi": "1"})
	if len(found) == 0 || found[0].Severity != repo.Tells || !strings.Contains(found[0].Found, "compatibility level 120") {
		t.Errorf("found %+v, want only the level told", found)
	}
}
