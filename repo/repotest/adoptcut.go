package repotest

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/repo"
)

// interrupter cancels a context when a migration is about to run its n-th statement, and
// records the statements before.
type interrupter struct {
	slog.Handler

	cancel context.CancelFunc
	left   int
	ran    []string
}

// Handle implements slog.Handler.
func (i *interrupter) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "executing statement" {
		return nil
	}
	i.count()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "statement" {
			i.ran = append(i.ran, a.Value.String())
		}
		return true
	})
	return nil
}

func (i *interrupter) count() {
	if i.left--; i.left < 0 {
		i.cancel()
	}
}

// Enabled implements slog.Handler.
func (i *interrupter) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (i *interrupter) WithAttrs([]slog.Attr) slog.Handler { return i }

// WithGroup implements slog.Handler.
func (i *interrupter) WithGroup(string) slog.Handler { return i }

// adoptCut cuts an adoption short at ten places, again and again, and wants the tables of one
// that was not cut.
func adoptCut(t *testing.T, server Server) {
	t.Helper()
	size := 20_000
	if testing.Short() {
		size = 5_000
	}
	whole := oktell(t, server, size)
	events := 0
	db := whole.again(repo.Config{Logger: slog.New(&interrupter{cancel: func() { events++ }})})
	_, err := db.Adopt(whole.ctx, func(repo.Progress) { events++ })
	whole.must(err)
	want := whole.adoptedTables()
	m := oktell(t, server, size)
	if diff := cmp.Diff(want, m.oktellRowsNow()); diff == "" {
		t.Fatal("adoption changes nothing: the test would prove nothing")
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers in every run
	cuts := 0
	for n := range 10 {
		cut := cutPlace{events: 1 + random.IntN(events/4)}
		if n%2 == 0 { // in the middle of rows being changed
			cut = cutPlace{batches: true, later: time.Duration(random.IntN(int(m.moment())))}
		}
		if m.adoptUntil(cut) {
			break
		}
		cuts++
		if err := m.CheckMigrated(m.ctx); err == nil {
			break // the last statement was through
		}
	}
	if cuts < 10 {
		t.Errorf("%d cuts, want 10", cuts)
	}
	m.adopt()
	if diff := cmp.Diff(want, m.adoptedTables()); diff != "" {
		t.Errorf("tables (-uncut +cut):\n%.2000s", diff)
	}
	t.Logf("%d places, cut short %d times", events, cuts)
}

// cutPlace is where an adoption is cut: some time after that many events. Events are batches, and
// statements of migrations unless only batches count.
type cutPlace struct {
	events  int
	batches bool
	later   time.Duration
}

// moment is about how long the work on the rows takes, on a quiet machine.
func (m *mirror) moment() time.Duration {
	if m.Dialect() == "sqlite" {
		return 500 * time.Millisecond
	}
	return 5 * time.Second
}

// adoptUntil takes the database over and is interrupted; true where it has finished before.
func (m *mirror) adoptUntil(place cutPlace) bool {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	stop := &interrupter{left: place.events, cancel: func() {
		if place.later == 0 {
			cancel()
		} else {
			time.AfterFunc(place.later, cancel)
		}
	}}
	cfg := repo.Config{Logger: slog.New(stop)}
	if m.Dialect() == "sqlite" { // fast enough for many
		cfg.AdoptBatch = 50
	}
	if place.batches {
		cfg.Logger = nil
	}
	_, err := m.again(cfg).Adopt(ctx, func(p repo.Progress) {
		stop.count()
		if place.batches && strings.HasPrefix(p.Step, "checks") { // all rows are done, in less time
			cancel()
		}
	})
	if err == nil {
		return true
	}
	if !errors.Is(err, context.Canceled) {
		m.t.Fatalf("cut at %+v: %v", place, err)
	}
	return false
}

// adoptOverCutConnections takes a database over while its connections break. The lock of
// migrations goes with a connection, so the call may fail, and then it is made again.
func adoptOverCutConnections(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 3_000)
	if m.Dialect() == "sqlite" {
		t.Skip("SQLite has no connections that break")
	}
	reports, newest := m.oktellReports(), m.newestLeads()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same numbers in every run
	connections := int64(0)
	through, cuts := m.cutting(func() int64 { // a server may take half a minute to notice a cut
		if connections++; connections > 5 {
			return math.MaxInt64
		}
		return connections*10_000 + random.Int64N(10_000)
	})
	for {
		db, err := repo.Open(m.ctx, repo.Config{URL: through, Now: m.clock.Now})
		if err != nil {
			continue // cut at once
		}
		_, err = db.Adopt(m.ctx, nil)
		_ = db.Close()
		if err == nil {
			break
		}
		t.Logf("again after %d cuts: %.150s", cuts.load(), err.Error())
	}
	if cuts.load() < 2 {
		t.Errorf("%d connections were cut: the test has proved nothing", cuts.load())
	}
	if diff := cmp.Diff(reports, m.oktellReports()); diff != "" {
		t.Errorf("reports (-before +after):\n%.2000s", diff)
	}
	if diff := cmp.Diff(newest, m.newestLeads()); diff != "" {
		t.Errorf("leads since (-before +after):\n%.2000s", diff)
	}
}

// adoptedTables are all rows that an adoption may touch, with its columns.
func (m *mirror) adoptedTables() map[string][]string {
	m.t.Helper()
	tables := m.oktellRowsNow()
	leadColumns := append([]string{"Id"}, oktellTables["bitrix_leads"]...)
	tables["leadsync_duplicate_leads"] = m.report(append(leadColumns, "member_id"), "leadsync_duplicate_leads ORDER BY Id")
	tables["tickets"] = m.report([]string{"Id", "member_id", "read_ticket", "revision"}, "bitrix_leads ORDER BY Id")
	for _, table := range []string{"bitrix_lead_contacts", "bitrix_lead_solution", "bitrix_import_lead_error"} {
		tables["portals of "+table] = m.report([]string{"Id", "member_id"}, table+" ORDER BY Id")
	}
	return tables
}
