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
	file := row{"bytes": "1000000000.0", "used": "950000000.0", "max_size": "-1", "growth": "0"}
	grows := maps.Clone(file)
	grows["growth"] = "8192"
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
		{"a full file", "files", []row{file}, repo.Warns, "enlarge"},
		{"a file that grows", "files", []row{grows}, repo.Tells, "free"},
		{"old statistics", "statistics", []row{{"table": "leadsync_phones", "statistic": "ix", "rows": "100000", "changed": "90000"}}, repo.Warns, "UPDATE STATISTICS dbo.leadsync_phones"},
		{"new statistics", "statistics", nil, repo.Tells, "up to date"},
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
