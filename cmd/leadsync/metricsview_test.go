package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// shortestHelp is what a newcomer needs to understand a number, in characters.
const shortestHelp = 25

// Names, types and units of all metrics are those that Prometheus recommends, and each says in a
// sentence what it counts.
func TestMetricsAreNamedByConvention(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 30, Seed: 4})
	s := startAccelerated(t, p, nil)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	db := s.mirror(t)
	s.untilImported(t, db)
	eventually(t, "the import is shown", func() bool {
		return strings.Contains(s.metrics(t), "leadsync_portal_last_full_pass_success{") && s.metric(t, "leadsync_ready") == 1
	})
	if strings.Contains(s.metrics(t), "_differences{") {
		t.Error("an import shows leads that are new as differences")
	}
	if _, err := db.RequestRun(t.Context(), leads.Run{MemberID: s.member(), Mode: leads.RunFull}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the full pass is shown", func() bool { return strings.Contains(s.metrics(t), "_differences{") })
	text := body(t, s.metrics(t))
	faults, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.Metric, f.Text)
	}
	shown := 0
	for _, m := range regexp.MustCompile(`(?m)^# HELP (leadsync_\w+) (.*)$`).FindAllStringSubmatch(text, -1) {
		if shown++; len(m[2]) < shortestHelp || !strings.HasSuffix(m[2], ".") {
			t.Errorf("%s: %q is no sentence that explains it", m[1], m[2])
		}
	}
	if shown < 50 {
		t.Errorf("only %d metrics are shown", shown)
	}
	member := `{member_id="` + s.member() + `"}`
	for name, want := range map[string][2]float64{
		"leadsync_portal_last_full_pass_success" + member:                        {1, 1},
		"leadsync_portal_last_full_pass_leads" + member:                          {30, 30},
		"leadsync_portal_last_full_pass_timestamp_seconds" + member:              since(time.Minute * -30),
		"leadsync_portal_last_pass_timestamp_seconds" + member:                   since(time.Minute * -30),
		"leadsync_portal_access_token_expiry_timestamp_seconds" + member:         since(0),
		"leadsync_portal_login_expiry_timestamp_seconds" + member:                since(170 * 24 * time.Hour),
		"leadsync_portal_deletions_held_back" + member:                           {0, 0},
		`leadsync_portal_last_full_pass_differences{kind="missed",` + member[1:]: {0, 0},
	} {
		if got := sample(t, text, name); got < want[0] || got > want[1] {
			t.Errorf("%s is %v, want %v to %v", name, got, want[0], want[1])
		}
	}
}

// since is from a time before or after now until a year later.
func since(d time.Duration) [2]float64 {
	from := float64(time.Now().Add(d).Unix())
	return [2]float64{from, from + 365*24*3600}
}

// body is the text of metrics without what precedes it.
func body(t *testing.T, answer string) string {
	t.Helper()
	if i := strings.Index(answer, "# HELP"); i >= 0 {
		return answer[i:]
	}
	t.Fatalf("no metrics: %s", answer)
	return ""
}

// sample is the value of a metric with its labels.
func sample(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Errorf("%s is not shown", name)
	return -1
}
