package repotest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

func migrations(t *testing.T, server Server) {
	t.Helper()
	m := &mirror{t: t, ctx: t.Context(), url: server.URL(t), clock: leadstest.NewClock(start)}
	m.DB = m.again(repo.Config{})
	if err := m.CheckMigrated(m.ctx); !errors.Is(err, repo.ErrNotMigrated) {
		t.Errorf("an empty database: %v", err)
	}
	if _, err := m.Apply(m.ctx, []leads.Snapshot{present(t, 1, 1, "too early")}); !errors.Is(err, repo.ErrNotMigrated) {
		t.Errorf("apply on an empty database: %v", err)
	}
	plan, err := m.MigrationPlan(m.ctx)
	if err != nil || len(plan) == 0 {
		t.Fatalf("plan %v, %v", plan, err)
	}
	total := m.migrateTogether(4, func(db *repo.DB) ([]string, error) { return db.Migrate(m.ctx) })
	if total != len(plan) {
		t.Errorf("%d migrations applied by four at once, want each of %d once", total, len(plan))
	}
	if plan, err := m.MigrationPlan(m.ctx); err != nil || len(plan) != 0 {
		t.Errorf("plan afterwards %v, %v", plan, err)
	}
	if err := m.CheckMigrated(m.ctx); err != nil {
		t.Error(err)
	}
	m.verdict(leads.Inserted, present(t, 1, 1, "kept"))
	if applied, err := m.Migrate(m.ctx); err != nil || len(applied) != 0 {
		t.Errorf("once more: %v, %v", applied, err)
	}
	if got := column(m.row(member, 1), "TITLE"); got != "kept" {
		t.Errorf("after migrating twice the title is %q", got)
	}
	if err := m.Ping(m.ctx); err != nil {
		t.Error(err)
	}
}

// firstStartCut interrupts Migrate on an empty database, as a kill of a service at its first start does:
// the next start continues, and takes the tables for its own.
func firstStartCut(t *testing.T, server Server) {
	t.Helper()
	m := &mirror{t: t, ctx: t.Context(), url: server.URL(t), clock: leadstest.NewClock(start)}
	m.DB = m.again(repo.Config{})
	if m.Dialect() != "sqlite" {
		t.Skip("the same code, and each try takes seconds")
	}
	between := false
	for n := 0; ; n++ {
		ctx, cancel := context.WithCancel(m.ctx)
		_, err := m.again(repo.Config{Logger: slog.New(&interrupter{cancel: cancel, left: n})}).Migrate(ctx)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cut at statement %d: %v", n, err)
		}
		plan, err := m.MigrationPlan(m.ctx)
		m.must(err)
		between = between || plan[0] == repo.MirrorMigration
	}
	if !between {
		t.Error("never cut between the first two migrations: the test would prove nothing")
	}
}

// migrateTogether migrates from several replicas at once and returns how many migrations they
// applied.
func (m *mirror) migrateTogether(replicas int, migrate func(*repo.DB) ([]string, error)) (total int) {
	m.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range replicas {
		db := m.again(repo.Config{})
		wg.Go(func() {
			applied, err := migrate(db)
			if err != nil {
				m.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += len(applied)
		})
	}
	wg.Wait()
	return total
}
