package sql_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	leadsql "leadsync/sql"
)

var (
	sqlComment = regexp.MustCompile(`(?m)--.*$`)
	tableUsed  = regexp.MustCompile(`dbo\.(\w+)`)
	inserted   = regexp.MustCompile(`(?i)INSERT INTO dbo\.(\w+)`)
	written    = regexp.MustCompile(`(?i)\b(UPDATE|DELETE)\s+(?:TOP \([@\w]+\)\s+)?(?:FROM\s+)?dbo\.(\w+)`)
	byAlias    = regexp.MustCompile(`(?i)^\s*(UPDATE|DELETE)\s+(\w)\s`)
	askedRight = regexp.MustCompile(`\(N'(\w+)', N'([SIUD]+)'\)`)
	granted    = regexp.MustCompile(`(?m)^GRANT ([A-Z, ]+) ON dbo\.(\w+) TO (\w+);`)
)

// neededRights are the rights of table that the statements of the service need. What is
// written is also read, to find it.
func neededRights() map[string][]string {
	needed := map[string][]string{"leadsync_migrations": {"SELECT"}}
	for _, statement := range reflect.ValueOf(leadsql.SQLServer).Fields() {
		text := sqlComment.ReplaceAllString(statement.String(), "")
		for _, m := range tableUsed.FindAllStringSubmatch(text, -1) {
			needed[m[1]] = append(needed[m[1]], "SELECT")
		}
		for _, m := range inserted.FindAllStringSubmatch(text, -1) {
			needed[m[1]] = append(needed[m[1]], "INSERT")
		}
		for _, m := range written.FindAllStringSubmatch(text, -1) {
			needed[m[2]] = append(needed[m[2]], strings.ToUpper(m[1]))
		}
		if m := byAlias.FindStringSubmatch(text); m != nil {
			table := regexp.MustCompile(`dbo\.(\w+) AS ` + m[2] + `\b`).FindStringSubmatch(text)[1]
			needed[table] = append(needed[table], strings.ToUpper(m[1]))
		}
	}
	for table, rights := range needed {
		slices.Sort(rights)
		needed[table] = slices.Compact(rights)
	}
	return needed
}

// askedRights are those for which leadsync doctor asks.
func askedRights() map[string][]string {
	asked := map[string][]string{}
	for _, m := range askedRight.FindAllStringSubmatch(leadsql.SQLServerPreflight["rights"], -1) {
		for _, right := range []string{"DELETE", "INSERT", "SELECT", "UPDATE"} {
			if strings.Contains(m[2], right[:1]) {
				asked[m[1]] = append(asked[m[1]], right)
			}
		}
	}
	return asked
}

// The script for database administrators grants the service the rights that its statements
// need, and no others, and leadsync doctor asks for these; users who only read reports cannot read tokens.
func TestGrantsAreWhatTheStatementsNeed(t *testing.T) {
	script, err := os.ReadFile("../deployments/sqlserver/grants.sql")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]map[string][]string{}
	for _, m := range granted.FindAllStringSubmatch(string(script), -1) {
		if given[m[3]] == nil {
			given[m[3]] = map[string][]string{}
		}
		rights := strings.Split(m[1], ", ")
		slices.Sort(rights)
		given[m[3]][m[2]] = rights
	}
	if diff := cmp.Diff(neededRights(), given["leadsync_service"]); diff != "" {
		t.Errorf("rights of leadsync_service (-needed +given):\n%s", diff)
	}
	if diff := cmp.Diff(given["leadsync_service"], askedRights()); diff != "" {
		t.Errorf("rights that leadsync doctor asks for (-given +asked):\n%s", diff)
	}
	for table, rights := range given["leadsync_reports"] {
		if !slices.Equal(rights, []string{"SELECT"}) {
			t.Errorf("leadsync_reports may %v %s", rights, table)
		}
	}
	for _, secret := range []string{"bitrix_oauth", "leadsync_portals", "leadsync_outbox"} {
		if given["leadsync_reports"][secret] != nil {
			t.Errorf("leadsync_reports may read %s", secret)
		}
	}
	if len(given["leadsync_reports"]) == 0 {
		t.Error("leadsync_reports may read nothing")
	}
}
