package main

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
)

// gaugesElsewhere are shown per portal and method, and tested where their numbers come
// from: TestPortalsAreListedShownReboundAndRemoved, and the limits and budget of bitrix24.
var gaugesElsewhere = []string{
	"leadsync_portal_owned", "leadsync_portal_requests_total", "leadsync_portals", "leadsync_portal_budget_used_requests", "leadsync_portal_budget_limit_requests",
	"leadsync_portal_budget_share_ratio", "leadsync_portal_budget_refusals_total", "leadsync_portal_requests_waiting", "leadsync_portal_method_operating_seconds",
	"leadsync_portal_method_refusals_total", "leadsync_portal_method_pauses_total",
	"leadsync_spool_limit_bytes",     // a constant
	"leadsync_table_rows",            // repotest: Prune, and service: TestScrapesReadNoTables
	"leadsync_pruned_rows_total",     // the same
	"leadsync_callbacks_lost_total",  // TestFullDisk
	"leadsync_portal_odd_rows_total", // bitrix24: odd_test.go
	"leadsync_build_info",            // a constant
	// TestMetricsAreNamedByConvention, TestReconcileExitsOneWhenAPersonIsNeeded.
	"leadsync_ready", "leadsync_problem", "leadsync_portal_deletions_held_back", "leadsync_portal_last_pass_timestamp_seconds",
	"leadsync_portal_last_full_pass_timestamp_seconds", "leadsync_portal_last_full_pass_success", "leadsync_portal_last_full_pass_duration_seconds",
	"leadsync_portal_last_full_pass_leads", "leadsync_portal_last_full_pass_differences", "leadsync_portal_access_token_expiry_timestamp_seconds",
	"leadsync_portal_login_expiry_timestamp_seconds",
	"leadsync_journal_entries_total",        // journal: TestFullDiskDropsEntries
	"leadsync_journal_dropped_total",        // the same
	"leadsync_portal_failing_seconds",       // TestReadinessNamesAFailingPortal
	"leadsync_portal_oldest_notice_seconds", // TestAPortalThatHangsIsReportedAfterTwoMinutes
	// The second channel: TestOfflineQueueAloneBringsEveryChange, TestTestEventsProveThatCallbacksArrive.
	"leadsync_portal_offline_events_total", "leadsync_portal_callbacks_missed_total", "leadsync_portal_callbacks_silent",
}

// unknownPortalCallback is a callback of a portal that is not known.
const unknownPortalCallback = "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=abc&auth[application_token]=x"

// metricsTest reads /metrics and records which metrics have changed.
type metricsTest struct {
	h *harness

	changed map[string]bool
	shown   map[string]bool
}

// read returns the values by name with labels, as Prometheus writes them.
func (m *metricsTest) read() map[string]float64 {
	m.h.t.Helper()
	values := map[string]float64{}
	response, err := http.Get(m.h.serve.admin() + "/metrics")
	if err != nil {
		m.h.t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		m.h.t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" && strings.HasPrefix(value, "HELP leadsync_") {
			m.shown[strings.Fields(value)[1]] = true
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, "leadsync_") {
			values[name] = v
		}
	}
	return values
}

// wantIncrease does something and waits until each of the metrics is higher than before.
func (m *metricsTest) wantIncrease(what string, do func(), metrics ...string) {
	m.h.t.Helper()
	before := m.read()
	do()
	var unchanged []string
	defer func() {
		if m.h.t.Failed() {
			m.h.t.Logf("%s: did not increase: %v", what, unchanged)
		}
	}()
	m.h.until(what, func() bool {
		now := m.read()
		unchanged = slices.DeleteFunc(slices.Clone(metrics), func(name string) bool { return now[name] > before[name] })
		return len(unchanged) == 0
	})
	for _, name := range metrics {
		name, _, _ = strings.Cut(name, "{")
		m.changed[strings.TrimSuffix(name, "_count")] = true
	}
}

// atRest waits until nothing is under way: a gauge that something raised before would not
// increase again.
func (m *metricsTest) atRest() {
	m.h.t.Helper()
	for _, name := range []string{"leadsync_notices_waiting", "leadsync_spool_entries", "leadsync_outbox_changes"} {
		m.untilZero(name)
	}
}

// untilZero waits until a gauge is zero.
func (m *metricsTest) untilZero(name string) {
	m.h.t.Helper()
	m.h.until(name+" is zero", func() bool { return m.read()[name] == 0 })
}

func (m *metricsTest) post(body string) {
	m.h.t.Helper()
	response, err := http.Post(m.h.url+"/bitrix24/events", "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		m.h.t.Fatal(err)
	}
	_ = response.Body.Close()
}

// Each metric increases when what it counts happens, and /metrics shows no name that no test
// has seen change.
func TestEveryMetricChangesWithItsEvent(t *testing.T) {
	t.Parallel()
	m := &metricsTest{h: openHarness(t, harnessConfig{env: []string{"LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_LOG_LEVEL=debug"}}), changed: map[string]bool{}, shown: map[string]bool{}}
	m.h.install()
	a, b, c, _ := m.h.sampleIDs()
	ofPortal := `{member_id="` + m.h.portal.Info().MemberID + `"}`
	m.wantIncrease("a lead is edited", func() { m.h.edit(a, "measured") },
		"leadsync_callbacks_received_total", "leadsync_notices_published_total", "leadsync_notices_taken_total", "leadsync_leads_read_total",
		`leadsync_lead_outcomes_total{outcome="updated"}`, "leadsync_changes_published_total", "leadsync_lag_row_seconds_count", "leadsync_lag_topic_seconds_count",
		"leadsync_portal_callbacks_received_total"+ofPortal, "leadsync_portal_lag_row_seconds_count"+ofPortal, "leadsync_database_statements_total")
	m.wantIncrease("a lead is added", func() { m.h.portal.Add(1) }, `leadsync_lead_outcomes_total{outcome="inserted"}`)
	m.wantIncrease("a lead is deleted", func() { _ = m.h.portal.Delete(b) }, `leadsync_lead_outcomes_total{outcome="deleted"}`)
	m.wantIncrease("a callback says nothing new", func() { m.post(m.callback(a)) }, `leadsync_lead_outcomes_total{outcome="unchanged"}`)
	m.unknownNotice()
	m.refusals()
	m.coalescing(a)
	m.withoutNATS(a)
	m.withoutDatabase()
	m.outbox(a)
	m.poison(c)
	for _, name := range gaugesElsewhere {
		m.changed[name] = true
	}
	for name := range m.shown {
		if !m.changed[name] {
			t.Errorf("no test has seen %s change", name)
		}
	}
}

// unknownNotice publishes a notice about the portal of an unknown kind.
func (m *metricsTest) unknownNotice() {
	nc, err := events.Connect(events.Server{URL: m.h.natsAt, Token: m.h.natsToken})
	if err != nil {
		m.h.t.Fatal(err)
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err == nil {
		err = events.Look(m.h.t.Context(), bus)
	}
	if err != nil {
		m.h.t.Fatal(err)
	}
	m.wantIncrease("a notice of an unknown kind comes", func() {
		if err := events.PublishPortal(m.h.t.Context(), bus, events.PortalNotice{MemberID: m.h.portal.Info().MemberID}); err != nil {
			m.h.t.Fatal(err)
		}
	}, "leadsync_portal_notices_ignored_total")
}

// callback is the body of a genuine callback.
func (m *metricsTest) callback(id int64) string {
	info := m.h.portal.Info()
	return "event=ONCRMLEADUPDATE&data[FIELDS][ID]=" + strconv.FormatInt(id, 10) + "&auth[member_id]=" + info.MemberID + "&auth[application_token]=" + info.ApplicationToken
}

func (m *metricsTest) refusals() {
	m.h.t.Helper()
	info := m.h.portal.Info()
	for reason, body := range map[string]string{
		"unparsable":     "%zz",
		"too_long":       strings.Repeat("x", 70_000),
		"unknown_portal": unknownPortalCallback,
		"not_verified":   strings.Replace(unknownPortalCallback, "ONCRMLEADADD", "ONAPPINSTALL", 1) + "&auth[access_token]=x&auth[refresh_token]=x&auth[domain]=x.bitrix24.com&auth[expires_in]=3600",
		"wrong_token":    "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=" + info.MemberID + "&auth[application_token]=x",
		"unknown_event":  "event=ONCRMDEALADD&auth[member_id]=" + info.MemberID + "&auth[application_token]=" + info.ApplicationToken,
	} {
		m.wantIncrease("a callback is refused: "+reason, func() { m.post(body) }, `leadsync_callbacks_refused_total{reason="`+reason+`"}`)
	}
}

// coalescing sends notices of one lead until some wait while the lead is read, and are
// replaced.
func (m *metricsTest) coalescing(id int64) {
	m.h.t.Helper()
	m.atRest()
	m.h.portal.SetFaults(emulator.Faults{SlowMS: 1500})
	missing := map[string]bool{"leadsync_notices_coalesced": true, "leadsync_notices_waiting": true}
	before := m.read()
	m.h.until("notices wait and are replaced", func() bool {
		m.post(m.callback(id))
		now := m.read()
		for name := range missing {
			if now[name] > before[name] {
				m.changed[name] = true
				delete(missing, name)
			}
		}
		return len(missing) == 0
	})
	m.h.portal.SetFaults(emulator.Faults{})
	m.untilZero("leadsync_notices_waiting")
}

// withoutNATS stops NATS, and checks the spool and what /readyz reports of both.
func (m *metricsTest) withoutNATS(id int64) {
	m.h.t.Helper()
	m.atRest()
	m.h.nats.stop()
	m.wantIncrease("NATS is down", func() { m.post(m.callback(id)) }, "leadsync_callbacks_spooled_total", "leadsync_spool_entries", "leadsync_spool_bytes")
	m.wantProblem("nats", "not connected")
	m.wantIncrease("time passes", func() { m.h.serve.setClock(time.Hour) }, "leadsync_spool_age_seconds")
	m.wantProblem("spool", "1 callbacks wait on disk since")
	m.h.serve.setClock(0)
	m.h.nats.start()
	m.untilZero("leadsync_spool_entries")
	m.untilReady()
}

// withoutDatabase moves the file away: a callback of an unknown portal is kept until the
// database can say whose it is.
func (m *metricsTest) withoutDatabase() {
	m.h.t.Helper()
	m.atRest()
	folder := filepath.Dir(m.h.dbPath)
	if err := os.Rename(folder, folder+".away"); err != nil {
		m.h.t.Fatal(err)
	}
	m.wantIncrease("the database is gone", func() {
		m.h.until("the cache forgets that the portal is unknown", func() bool {
			m.post(unknownPortalCallback)
			return m.read()["leadsync_callbacks_without_database_total"] > 0
		})
	}, "leadsync_callbacks_without_database_total", "leadsync_spool_entries")
	m.wantProblem("database", "unavailable")
	m.wantIncrease("it is back", func() {
		if err := os.Rename(folder+".away", folder); err != nil {
			m.h.t.Fatal(err)
		}
	}, `leadsync_callbacks_refused_total{reason="forged"}`)
	m.untilReady()
}

// outbox takes the relay's lease and publishes nothing.
func (m *metricsTest) outbox(id int64) {
	m.h.t.Helper()
	m.atRest()
	m.h.serve.stop()
	nc, err := events.Connect(events.Server{URL: m.h.natsAt, Token: m.h.natsToken})
	if err != nil {
		m.h.t.Fatal(err)
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err == nil {
		err = events.Look(m.h.t.Context(), bus)
	}
	if err != nil {
		m.h.t.Fatal(err)
	}
	lease, err := events.TakeLease(m.h.t.Context(), bus, "relay", "a test")
	if err != nil {
		m.h.t.Fatal(err)
	}
	ctx, release := context.WithCancel(m.h.t.Context())
	defer release()
	held := make(chan error, 1)
	go func() { held <- lease.Hold(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) }()
	m.h.serve.start()
	m.h.untilUp()
	m.wantIncrease("nobody relays", func() { m.h.edit(id, "waits in the outbox") }, "leadsync_outbox_changes", "leadsync_outbox_age_seconds")
	release()
	if err := <-held; err != nil {
		m.h.t.Fatal(err)
	}
	m.untilZero("leadsync_outbox_changes")
}

// poison edits a lead so that the database refuses it. All attempts take about an hour; the
// test sets the service's clock.
func (m *metricsTest) poison(id int64) {
	m.h.t.Helper()
	raw, err := sql.Open("sqlite", m.h.dbPath+"?_pragma=busy_timeout(10000)")
	if err != nil {
		m.h.t.Fatal(err)
	}
	defer raw.Close()
	_, err = raw.ExecContext(m.h.t.Context(), "CREATE TRIGGER poison BEFORE UPDATE ON bitrix_leads WHEN NEW.sql_ID = "+strconv.FormatInt(id, 10)+
		" AND NEW.sql_TITLE = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END")
	if err != nil {
		m.h.t.Fatal(err)
	}
	failed := `leadsync_lead_outcomes_total{outcome="failed"}`
	m.wantIncrease("a lead cannot be written", func() { m.h.edit(id, "poison") }, failed)
	late := time.Duration(0)
	for _, wait := range []time.Duration{10 * time.Second, time.Minute, 6 * time.Minute} {
		late += wait + time.Second
		m.wantIncrease("it is retried when due", func() { m.h.serve.setClock(late) }, failed)
	}
	m.wantIncrease("it is parked", func() { m.h.serve.setClock(late + 37*time.Minute) }, "leadsync_notices_parked_total", "leadsync_dead_letters")
	m.h.serve.setClock(0)
}

// wantProblem waits until /readyz reports this problem of a component.
func (m *metricsTest) wantProblem(part, words string) {
	m.h.t.Helper()
	m.h.until("readyz reports "+words+" of "+part, func() bool {
		status, report := m.h.readiness()
		return status == http.StatusServiceUnavailable && strings.Contains(report, `"`+part) && strings.Contains(report, words)
	})
}

func (m *metricsTest) untilReady() {
	m.h.t.Helper()
	m.h.until("readyz reports no problem", func() bool { status, _ := m.h.readiness(); return status == http.StatusOK })
}

// /readyz reports a failing portal with a reason. (NATS, spool and database: the test of the
// metrics; a full disk: TestFullDisk.)
func TestReadinessNamesAFailingPortal(t *testing.T) {
	t.Parallel()
	m := &metricsTest{h: newHarness(t, true), changed: map[string]bool{}, shown: map[string]bool{}}
	m.h.install()
	a, _, _, _ := m.h.sampleIDs()
	m.h.portal.SetFaults(emulator.Faults{Overload: true})
	m.h.edit(a, "while it is blocked")
	m.wantProblem("portal ", "OVERLOAD_LIMIT")
	m.h.until("the metric names the part", func() bool {
		for name := range m.read() {
			if strings.HasPrefix(name, "leadsync_portal_failing_seconds{") && strings.Contains(name, `part="notices"`) {
				return true
			}
		}
		return false
	})
	m.h.portal.SetFaults(emulator.Faults{})
	m.untilReady()
	m.h.untilTitled(a, "while it is blocked")
}
