package reconcile_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/reconcile"
)

// One thing has a singular, and the numbers of a pass add up.
func TestAPassIsPrintedInWords(t *testing.T) {
	t.Parallel()
	one := leads.Sums{Scanned: 1, Unchanged: 1, Missed: 1, Stale: 1, Phantom: 1, Unreadable: 1, Unprocessable: 1, Inserted: 1, Updated: 1, Deleted: 1, Requests: 1, Refused: 1}
	for _, dry := range []bool{false, true} {
		text := passText(t, leads.Run{ID: "r", MemberID: "m", State: leads.RunCompleted, DryRun: dry, Sums: one})
		if wrong := regexp.MustCompile(`\b1 (leads|rows|requests|phantoms|differences)\b`).FindString(text); wrong != "" {
			t.Errorf("%q in %s", wrong, text)
		}
		if !strings.HasPrefix(text, "Portal company.bitrix24.ru: ") {
			t.Errorf("the portal is not named: %s", text)
		}
		if strings.Contains(text, "dry run") != dry || strings.Contains(text, "inserted") == dry || strings.Contains(text, "not counted") {
			t.Errorf("dry run %v: %s", dry, text)
		}
	}
	if text := passText(t, leads.Run{MemberID: "m", Sums: leads.Sums{Scanned: 1001, Unchanged: 994, Failing: 2}}); !strings.Contains(text, "1001 leads compared, 994 of them right") ||
		!strings.Contains(text, "5 not counted (changed") || !strings.Contains(text, "2 not counted, and cannot be stored") {
		t.Errorf("five leads are missing: %s", text)
	}
}

func passText(t *testing.T, run leads.Run) string {
	t.Helper()
	var out strings.Builder
	if err := (reconcile.Reports{Runs: []leads.Run{run}, Hosts: leads.Hosts{"m": "company.bitrix24.ru"}}).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Several passes are one object with their sums, one pass is an object of its own; what needs a person is an error.
func TestPassesAreAddedUp(t *testing.T) {
	t.Parallel()
	reports := reconcile.Reports{Runs: []leads.Run{
		{ID: "r1", MemberID: "m", State: leads.RunCompleted, Sums: leads.Sums{Scanned: 3, Stale: 1}},
		{ID: "r2", MemberID: "n", State: leads.RunIncomplete, Error: "the portal is gone", Sums: leads.Sums{Scanned: 4}},
	}, Hosts: leads.Hosts{"m": "company.bitrix24.ru"}}
	for count, want := range map[int]string{1: `"run":"r1"`, 2: `"portals":[{`} {
		text, err := json.Marshal(reconcile.Reports{Runs: reports.Runs[:count]})
		if err != nil || !strings.Contains(string(text), want) || count == 2 && !strings.Contains(string(text), `"scanned":7`) {
			t.Errorf("%d passes: %v, %s", count, err, text)
		}
	}
	if err := reports.Err(); err == nil || err.Error() != "pass over portal n is incomplete: the portal is gone" {
		t.Error(err)
	}
}

// Findings say how far a row was behind as people say it, and what they leave out.
func TestFindingsAreATable(t *testing.T) {
	t.Parallel()
	found := make([]leads.Finding, 3)
	for d, want := range map[time.Duration]string{
		0: "unknown", 1500 * time.Millisecond: "1s", 90 * time.Second: "1 min", 47*time.Hour + 59*time.Minute: "47 h 59 min", 49293*time.Hour + 34*time.Minute: "2053 days",
	} {
		found[0] = leads.Finding{Ref: leads.Ref{LeadID: 17}, Kind: leads.FindingStale, Behind: d}
		var out strings.Builder
		if err := reconcile.NewFindings("r", found, 1).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "17    stale  "+want+"  ") || !strings.Contains(out.String(), "and 2 more") {
			t.Errorf("%s is printed as %s, want %s", d, out.String(), want)
		}
	}
}

// An import finds all leads: events have missed none of them, and nothing of them was wrong.
func TestHistoryNamesPortalsByTheirHosts(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := reconcile.History{Hosts: leads.Hosts{"m1": "company.bitrix24.ru"}, Runs: []leads.Run{
		{ID: "r1", MemberID: "m1", Mode: leads.RunImport, Sums: leads.Sums{Scanned: 300, Missed: 300, Inserted: 300}},
		{ID: "r2", MemberID: "m2", Mode: leads.RunFull, Sums: leads.Sums{Scanned: 301, Missed: 7, Inserted: 7}},
	}}.WriteText(&out)
	lines := strings.Split(out.String(), "\n")
	if err != nil || len(lines) < 3 || !regexp.MustCompile(`^r1 +company\.bitrix24\.ru .* 300 +- .* - +300 *$`).MatchString(lines[1]) || !regexp.MustCompile(`^r2 +m2 .* 301 +7 .* 7 +- *$`).MatchString(lines[2]) {
		t.Errorf("%v: %s", err, out.String())
	}
}
