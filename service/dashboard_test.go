package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadsync/leads"
)

// The dashboard's queries have results on the metrics of a real service. Prometheus' own promtool
// evaluates them (make monitoring-check).
func TestDashboardHasResults(t *testing.T) {
	promtool := strings.Fields(os.Getenv("LEADSYNC_TEST_PROMTOOL"))
	if len(promtool) == 0 {
		t.Skip("set LEADSYNC_TEST_PROMTOOL to promtool's command, as make monitoring-check does")
	}
	p := openPages(t, 20)
	member := p.portal.Info().MemberID
	before, after := p.dayOfWork(member)
	var file strings.Builder
	file.WriteString("evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n")
	for _, name := range slices.Sorted(maps.Keys(after)) {
		first, counted := before[name]
		if !counted {
			first = after[name]
		}
		fmt.Fprintf(&file, "      - series: '%s'\n        values: '%s+0x4 %s+0x5'\n", ofTarget(name), plain(t, first), plain(t, after[name]))
	}
	file.WriteString("    promql_expr_test:\n")
	for _, query := range dashboardQueries(t) {
		query = strings.ReplaceAll(query, "$portal", member)
		// 1 where there is a result that is a number
		fmt.Fprintf(&file, "      - expr: 'count((%s) == (%s)) > bool 0'\n        eval_time: 8m\n        exp_samples:\n          - labels: '{}'\n            value: 1\n", query, query)
	}
	path := filepath.Join(t.TempDir(), "dashboard_test.yml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), promtool[0], append(promtool[1:], "test", "rules", path)...)
	if said, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// dayOfWork has a portal connected, imported, changed and compared. It returns what the metrics
// said in the middle of it and afterwards.
func (p *pages) dayOfWork(member string) (before, after map[string]string) {
	p.t.Helper()
	db := p.service.Backend.DB
	p.portal.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	p.until("the leads are imported", func() bool {
		run, ok, err := db.LastCompleted(p.t.Context(), member)
		return err == nil && ok && run.Scanned == 20
	})
	before = scraped(p.service)
	for range 3 {
		id, _ := p.portal.RandomID()
		if err := p.portal.Edit(id, map[string]any{"TITLE": "changed"}); err != nil {
			p.t.Fatal(err)
		}
	}
	forged := url.Values{"event": {"ONCRMLEADUPDATE"}, "data[FIELDS][ID]": {"1"}, "auth[member_id]": {member}, "auth[application_token]": {"forged"}}
	p.answer(http.PostForm(p.service.Address()+leads.CallbackPath, forged))
	run, err := p.service.Backend.Passes().Request(p.t.Context(), PassRequest{MemberID: member, Mode: leads.RunFull}, func(string) {})
	if err != nil {
		p.t.Fatal(err)
	}
	p.until("the changes are on the topic and the pass is seen", func() bool {
		after = scraped(p.service)
		return after["leadsync_lag_topic_seconds_count"] != "" && after["leadsync_lag_topic_seconds_count"] != "0" && strings.Contains(strings.Join(slices.Collect(maps.Keys(after)), " "), "last_full_pass_differences")
	})
	p.t.Logf("pass %s, %d metrics", run, len(after))
	return before, after
}

// ofTarget is a series with the labels that Prometheus adds.
func ofTarget(series string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	if labels != "" {
		labels += ","
	}
	return name + "{" + labels + `job="leadsync",instance="a"}`
}

// plain is a number without an exponent, which promtool does not read.
func plain(t *testing.T, text string) string {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../deployments/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) < 25 || len(regexp.MustCompile(`\$\w+`).FindAllString(strings.ReplaceAll(strings.Join(all, " "), "$portal", ""), -1)) > 0 {
		t.Fatalf("%d queries: %q", len(all), all)
	}
	return all
}
