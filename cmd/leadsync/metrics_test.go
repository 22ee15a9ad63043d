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
	"leadsync_portal_owned", "leadsync_portal_requests_total", "leadsync_portals", "leadsync_budget_level", "leadsync_budget_depth",
	"leadsync_budget_share", "leadsync_budget_refusals_total", "leadsync_budget_waiting", "leadsync_operating_seconds",
	"leadsync_operating_refusals_total", "leadsync_operating_pauses_total",
	"leadsync_spool_limit_bytes",    // a constant
	"leadsync_callbacks_lost_total", // TestFullDisk
	// The second channel: TestOfflineQueueAloneBringsEveryChange, TestTestEventsProveThatCallbacksArrive.
	"leadsync_offline_events_total", "leadsync_callbacks_missed_total", "leadsync_callbacks_silent",
}

// strange is a callback of a portal that nobody knows.
const strange = "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=abc&auth[application_token]=x"

// meter reads /metrics, and notes what was seen to move.
type meter struct {
	*drill

	moved map[string]bool
	names map[string]bool
}

// read returns the values by name with labels, as Prometheus writes them.
func (m *meter) read() map[string]float64 {
	m.t.Helper()
	values := map[string]float64{}
	response, err := http.Get(m.url + "/metrics")
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		m.t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" && strings.HasPrefix(value, "HELP leadsync_") {
			m.names[strings.Fields(value)[1]] = true
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, "leadsync_") {
			values[name] = v
		}
	}
	return values
}

// moves does something and waits until each of the metrics is higher than before.
func (m *meter) moves(what string, do func(), metrics ...string) {
	m.t.Helper()
	before := m.read()
	do()
	var still []string
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s: still where they were: %v", what, still)
		}
	}()
	m.until(what, func() bool {
		now := m.read()
		still = slices.DeleteFunc(slices.Clone(metrics), func(name string) bool { return now[name] > before[name] })
		return len(still) == 0
	})
	for _, name := range metrics {
		name, _, _ = strings.Cut(name, "{")
		m.moved[strings.TrimSuffix(name, "_count")] = true
	}
}

// empties waits until a gauge has come down to nothing.
func (m *meter) empties(name string) {
	m.t.Helper()
	m.until(name+" comes down", func() bool { return m.read()[name] == 0 })
}

func (m *meter) post(body string) {
	m.t.Helper()
	response, err := http.Post(m.url+"/bitrix24/events", "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	_ = response.Body.Close()
}

// Each metric moves when its thing happens, and only names that a test has seen are shown.
func TestEveryMetricChangesWithItsEvent(t *testing.T) {
	t.Parallel()
	m := &meter{drill: furnish(t, plan{env: []string{"LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_LOG_LEVEL=debug"}}), moved: map[string]bool{}, names: map[string]bool{}}
	m.install()
	a, b, c, _ := m.some()
	m.moves("a lead is edited", func() { m.edit(a, "measured") },
		"leadsync_callbacks_received_total", "leadsync_notices_published_total", "leadsync_notices_taken_total", "leadsync_leads_read_total",
		`leadsync_outcomes_total{outcome="updated"}`, "leadsync_changes_published_total", "leadsync_lag_row_seconds_count", "leadsync_lag_topic_seconds_count")
	m.moves("a lead is added", func() { m.portal.Add(1) }, `leadsync_outcomes_total{outcome="inserted"}`)
	m.moves("a lead is deleted", func() { _ = m.portal.Delete(b) }, `leadsync_outcomes_total{outcome="deleted"}`)
	m.moves("a callback says nothing new", func() { m.post(m.callback(a)) }, `leadsync_outcomes_total{outcome="unchanged"}`)
	m.unknownNotice()
	m.refusals()
	m.coalescing(a)
	m.withoutNATS(a)
	m.withoutDatabase()
	m.outbox(a)
	m.poison(c)
	for _, name := range gaugesElsewhere {
		m.moved[name] = true
	}
	for name := range m.names {
		if !m.moved[name] {
			t.Errorf("nobody has seen %s move", name)
		}
	}
}

// unknownNotice publishes a notice about the portal whose kind nobody knows.
func (m *meter) unknownNotice() {
	nc, err := events.Connect(m.natsAt, "")
	if err != nil {
		m.t.Fatal(err)
	}
	defer nc.Close()
	js, err := events.JetStream(nc)
	if err != nil {
		m.t.Fatal(err)
	}
	m.moves("a notice of an unknown kind comes", func() {
		if err := events.PublishPortal(m.t.Context(), js, events.PortalNotice{MemberID: m.portal.Info().MemberID}); err != nil {
			m.t.Fatal(err)
		}
	}, "leadsync_portal_notices_ignored_total")
}

// callback is a genuine one.
func (m *meter) callback(id int64) string {
	info := m.portal.Info()
	return "event=ONCRMLEADUPDATE&data[FIELDS][ID]=" + strconv.FormatInt(id, 10) + "&auth[member_id]=" + info.MemberID + "&auth[application_token]=" + info.ApplicationToken
}

func (m *meter) refusals() {
	m.t.Helper()
	info := m.portal.Info()
	for reason, body := range map[string]string{
		"unparsable":     "%zz",
		"too_long":       strings.Repeat("x", 70_000),
		"unknown_portal": strange,
		"not_verified":   strings.Replace(strange, "ONCRMLEADADD", "ONAPPINSTALL", 1) + "&auth[access_token]=x&auth[refresh_token]=x&auth[domain]=x.bitrix24.com&auth[expires_in]=3600",
		"wrong_token":    "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=" + info.MemberID + "&auth[application_token]=x",
		"unknown_event":  "event=ONCRMDEALADD&auth[member_id]=" + info.MemberID + "&auth[application_token]=" + info.ApplicationToken,
	} {
		m.moves("a callback is refused: "+reason, func() { m.post(body) }, `leadsync_callbacks_refused_total{reason="`+reason+`"}`)
	}
}

// coalescing has notices of one lead come for as long as it takes to see some wait while
// the lead is read, and be replaced.
func (m *meter) coalescing(id int64) {
	m.t.Helper()
	m.portal.SetFaults(emulator.Faults{SlowMS: 1500})
	missing := map[string]bool{"leadsync_notices_coalesced": true, "leadsync_notices_waiting": true}
	before := m.read()
	m.until("notices wait and are replaced", func() bool {
		m.post(m.callback(id))
		now := m.read()
		for name := range missing {
			if now[name] > before[name] {
				m.moved[name] = true
				delete(missing, name)
			}
		}
		return len(missing) == 0
	})
	m.portal.SetFaults(emulator.Faults{})
	m.empties("leadsync_notices_waiting")
}

// withoutNATS sees the spool, and what readiness says of both.
func (m *meter) withoutNATS(id int64) {
	m.t.Helper()
	m.nats.stop()
	m.moves("NATS is down", func() { m.post(m.callback(id)) }, "leadsync_callbacks_spooled_total", "leadsync_spool_entries", "leadsync_spool_bytes")
	m.says("nats", "not connected")
	m.moves("time passes", func() { m.serve.jump(time.Hour) }, "leadsync_spool_age_seconds")
	m.says("spool", "1 callbacks wait on disk since")
	m.serve.jump(0)
	m.nats.start()
	m.empties("leadsync_spool_entries")
	m.content()
}

// withoutDatabase takes the file away: a stranger's callback is kept until it can be told
// whose it is.
func (m *meter) withoutDatabase() {
	m.t.Helper()
	folder := filepath.Dir(m.dbPath)
	if err := os.Rename(folder, folder+".away"); err != nil {
		m.t.Fatal(err)
	}
	m.moves("the database is gone", func() {
		m.until("it is forgotten that the portal is unknown", func() bool {
			m.post(strange)
			return m.read()["leadsync_callbacks_without_database_total"] > 0
		})
	}, "leadsync_callbacks_without_database_total", "leadsync_spool_entries")
	m.says("database", "unavailable")
	m.moves("it is back", func() {
		if err := os.Rename(folder+".away", folder); err != nil {
			m.t.Fatal(err)
		}
	}, `leadsync_callbacks_refused_total{reason="forged"}`)
	m.content()
}

// outbox has somebody else hold the relay's lease, who relays nothing.
func (m *meter) outbox(id int64) {
	m.t.Helper()
	m.serve.stop()
	nc, err := events.Connect(m.natsAt, "")
	if err != nil {
		m.t.Fatal(err)
	}
	defer nc.Close()
	js, err := events.JetStream(nc)
	if err != nil {
		m.t.Fatal(err)
	}
	lease, err := events.TakeLease(m.t.Context(), js, "relay", "a test")
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, release := context.WithCancel(m.t.Context())
	defer release()
	held := make(chan error, 1)
	go func() { held <- lease.Hold(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) }()
	m.serve.start()
	m.up()
	m.moves("nobody relays", func() { m.edit(id, "waits in the outbox") }, "leadsync_outbox_changes", "leadsync_outbox_age_seconds")
	release()
	if err := <-held; err != nil {
		m.t.Fatal(err)
	}
	m.empties("leadsync_outbox_changes")
}

// poison is a lead that the database does not take. Its patience takes an hour, by our
// clock.
func (m *meter) poison(id int64) {
	m.t.Helper()
	raw, err := sql.Open("sqlite", m.dbPath+"?_pragma=busy_timeout(10000)")
	if err != nil {
		m.t.Fatal(err)
	}
	defer raw.Close()
	_, err = raw.ExecContext(m.t.Context(), "CREATE TRIGGER poison BEFORE UPDATE ON bitrix_leads WHEN NEW.sql_ID = "+strconv.FormatInt(id, 10)+
		" AND NEW.sql_TITLE = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END")
	if err != nil {
		m.t.Fatal(err)
	}
	failed := `leadsync_outcomes_total{outcome="failed"}`
	m.moves("a lead cannot be written", func() { m.edit(id, "poison") }, failed)
	late := time.Duration(0)
	for _, wait := range []time.Duration{10 * time.Second, time.Minute, 6 * time.Minute} {
		late += wait + time.Second
		m.moves("it is tried again in time", func() { m.serve.jump(late) }, failed)
	}
	m.moves("it is given up", func() { m.serve.jump(late + 37*time.Minute) }, "leadsync_notices_parked_total", "leadsync_dead_letters")
	m.serve.jump(0)
}

// says waits until readiness says this of a part.
func (m *meter) says(part, words string) {
	m.t.Helper()
	m.until("readyz says "+words+" of "+part, func() bool {
		status, said := m.ready()
		return status == http.StatusServiceUnavailable && strings.Contains(said, `"`+part) && strings.Contains(said, words)
	})
}

func (m *meter) content() {
	m.t.Helper()
	m.until("readyz is content", func() bool { status, _ := m.ready(); return status == http.StatusOK })
}

// Readiness names the part that is ill, in words. (NATS, spool, database: the test of the
// metrics; a full disk: TestFullDisk.)
func TestReadinessNamesAFailingPortal(t *testing.T) {
	t.Parallel()
	m := &meter{drill: newDrill(t, true), moved: map[string]bool{}, names: map[string]bool{}}
	m.install()
	a, _, _, _ := m.some()
	m.portal.SetFaults(emulator.Faults{Overload: true})
	m.edit(a, "while it is blocked")
	m.says("portal ", "OVERLOAD_LIMIT")
	m.portal.SetFaults(emulator.Faults{})
}
