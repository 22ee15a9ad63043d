package service

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// Old history is deleted by one process at a time, and its rows are counted.
func TestOldHistoryIsDeletedByOneProcess(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	db, member := emptyMirror(t)
	now := time.Now()
	for _, age := range []time.Duration{time.Hour, 50 * day, 60 * day} {
		at := now.Add(-age)
		if err := db.AddIncident(t.Context(), leads.Incident{MemberID: member, Kind: leads.IncidentDown, From: at, To: at}); err != nil {
			t.Fatal(err)
		}
	}
	h := &history{
		db: db, keep: 40 * day, holder: "this process", now: func() time.Time { return now }, log: leadstest.Silent(),
		scaled: func(time.Duration) time.Duration { return 0 },
	}
	lease, err := events.TakeLease(t.Context(), bus, "history", "another process")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Hold(t.Context(), func(ctx context.Context) error { return h.once(ctx, bus) }); err != nil {
		t.Fatal(err)
	}
	if got := h.deleted.rows(); len(got) > 0 {
		t.Errorf("deleted %v while another process does", got)
	}
	if err := h.once(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	if got := h.deleted.rows(); got["leadsync_incidents"] != 2 {
		t.Errorf("deleted %v, want two incidents", got)
	}
	h.keep = 0
	if err := h.run(t.Context(), bus); err != nil { // returns at once
		t.Fatal(err)
	}
}

// Leads that were given up are forgotten when their last failure is old.
func TestLeadsGivenUpLongAgoAreForgotten(t *testing.T) {
	bus := eventstest.Bus(t)
	db, member := emptyMirror(t)
	for id := int64(1); id <= 2; id++ {
		ref := leads.Ref{MemberID: member, LeadID: id}
		if _, err := db.CountFailure(t.Context(), ref, "ONCRMLEADUPDATE", "refused", func(int) time.Time { return time.Time{} }); err != nil {
			t.Fatal(err)
		}
		if err := events.PublishDead(t.Context(), bus, events.DeadLetter{Notice: events.Notice{Ref: ref}, Reason: "refused"}); err != nil {
			t.Fatal(err)
		}
	}
	failing, err := db.Failing(t.Context(), member)
	if err != nil {
		t.Fatal(err)
	}
	last := failing[1].LastAt
	h := &history{db: db, keep: day, scaled: func(time.Duration) time.Duration { return 0 }, log: leadstest.Silent()}
	letters := func() int {
		t.Helper()
		dead, err := events.DeadLetters(t.Context(), bus, member)
		if err != nil {
			t.Fatal(err)
		}
		return len(dead)
	}
	for _, c := range []struct {
		now  time.Time
		left int
	}{{last.Add(day - time.Hour), 2}, {last.Add(day + time.Hour), 0}} {
		h.now = func() time.Time { return c.now }
		if err := h.prune(t.Context(), bus); err != nil {
			t.Fatal(err)
		}
		failing, err := db.Failing(t.Context(), member)
		if err != nil || len(failing) != c.left || letters() != c.left {
			t.Errorf("%d leads and %d dead letters are left, %v; want %d", len(failing), letters(), err, c.left)
		}
	}
	if n := h.deleted.rows()["leadsync_failures"]; n != 2 {
		t.Errorf("%d counted, want 2", n)
	}
}

// A scrape shows how large tables are, and asks the database nothing for it.
func TestScrapesReadNoTables(t *testing.T) {
	db, _ := emptyMirror(t)
	h := &history{db: db, log: leadstest.Silent()}
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- h.watch(ctx) }()
	for h.sizes.Load() == nil {
		if t.Context().Err() != nil {
			t.Fatal("no sizes are known")
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-watched; err != nil {
		t.Fatal(err)
	}
	h.deleted.add("leadsync_runs", 3)
	if err := db.Close(); err != nil { // a scrape needs no database for this
		t.Fatal(err)
	}
	shown := gathered(t, func(out sink) { collector{&Service{history: h}}.collectHistory(out) })
	if _, ok := shown["leadsync_table_rows bitrix_leads"]; !ok || shown["leadsync_pruned_rows_total leadsync_runs"] != 3 || len(shown) != 15 {
		t.Errorf("shown: %v", shown)
	}
}

// The outbox is not counted for each scrape: an import of millions would make it slow.
func TestScrapesCountTheOutboxSeldom(t *testing.T) {
	db, _ := emptyMirror(t)
	s := &Service{Backend: &Backend{DB: db, NATS: &NATS{}}}
	outbox := func() float64 { return gathered(t, collector{s}.collectWaiting)["leadsync_outbox_changes "] }
	if n := outbox(); n != 0 {
		t.Errorf("%v changes in an empty outbox", n)
	}
	s.outboxDepth.kept.value, s.outboxDepth.kept.until = 42, time.Now().Add(time.Hour)
	if n := outbox(); n != 42 {
		t.Errorf("%v changes, want the number that was counted last", n)
	}
}

// gathered are metrics as Prometheus reads them, by their names and first labels.
func gathered(t *testing.T, collect func(sink)) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectorFunc(collect))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			label := ""
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			values[f.GetName()+" "+label] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

// collectorFunc is a part of collector.
type collectorFunc func(sink)

// Describe implements prometheus.Collector.
func (c collectorFunc) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collectorFunc) Collect(to chan<- prometheus.Metric) { c(to) }

// The history of changes has a time of its own; where one of both is off, the other goes on.
func TestChangesAreDeletedByTheirOwnTime(t *testing.T) {
	db, member := emptyMirror(t)
	lead, err := leads.Parse([]byte(`{"ID":"1","TITLE":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Apply(t.Context(), []leads.Snapshot{{Ref: leads.Ref{MemberID: member, LeadID: 1}, Ticket: 1, Lead: lead}}); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-1000 * day)
	if err := db.AddIncident(t.Context(), leads.Incident{MemberID: member, Kind: leads.IncidentDown, From: long, To: long}); err != nil {
		t.Fatal(err)
	}
	h := &history{
		db: db, keepChanges: 90 * day, scaled: func(time.Duration) time.Duration { return 0 }, log: leadstest.Silent(),
		now: func() time.Time { return time.Now().Add(89 * day) },
	}
	for _, want := range []int64{0, 1} {
		if err := h.prune(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got := h.deleted.rows(); got["leadsync_changes"] != want || got["leadsync_incidents"] != 0 {
			t.Errorf("deleted %v, want %d changes and no incident", got, want)
		}
		h.now = func() time.Time { return time.Now().Add(91 * day) }
	}
}
