package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/repo"
)

// slowMigration is how long a migration runs, or is waited for, before the log says so.
const slowMigration = 2 * time.Second

// elsewhere stands for a migration that another process runs, perhaps: this one waits for it.
var elsewhere = &repo.Making{}

// tables is what a start does with the tables; on a slow server that takes half a minute, and longer where they are full.
type tables struct{ making atomic.Pointer[repo.Making] } // nil where none are made

// make brings leadsync's own tables up to date where the login may do that. Tables of a call centre are left alone: only a
// person has them taken over, by leadsync migrate.
func (t *tables) make(ctx context.Context, db *repo.DB, log *slog.Logger) error {
	pending, err := db.MigrationPlan(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	began := time.Now()
	report, end := t.report(ctx, log)
	applied, err := db.MigrateStepwise(ctx, report)
	end()
	if errors.Is(err, repo.ErrNotAdopted) {
		return err
	}
	if err != nil {
		return fmt.Errorf("the tables are not up to date (%s) and could not be changed: %w; run `leadsync migrate` with a login that may create tables, or, where that was done, give this login its rights by deployments/sqlserver/grants.sql",
			strings.Join(pending, ", "), err)
	}
	log.InfoContext(ctx, "tables are up to date", "applied", applied, "took", time.Since(began)) // none where another process has made them
	return nil
}

// report keeps which migration runs, and logs the first, each that takes long and a long wait for the first, until end.
func (t *tables) report(ctx context.Context, log *slog.Logger) (report func(repo.Making), end func()) {
	var mu sync.Mutex // the timer may fire at the end
	ended := false
	slow := func() {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return
		}
		if t.making.CompareAndSwap(nil, elsewhere) {
			log.InfoContext(ctx, "waiting until the tables can be made: the server is slow, or another process is making them; the service accepts callbacks meanwhile")
		} else if m := t.making.Load(); m != nil {
			log.InfoContext(ctx, "still making the tables; the service accepts callbacks meanwhile", "migration", m.Name, "step", m.Step, "of", m.Of)
		}
	}
	timer := time.AfterFunc(slowMigration, slow)
	report = func(m repo.Making) {
		if before := t.making.Swap(&m); before == nil || before == elsewhere { // not before it is known that they may be made, and by this process
			log.InfoContext(ctx, "making the tables; the service accepts callbacks meanwhile", "migration", m.Name, "step", m.Step, "of", m.Of)
		}
		timer.Reset(slowMigration)
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		timer.Stop()
		ended = true
		t.making.Store(nil)
	}
}

// problem says for /readyz what is being made; "" is nothing.
func (t *tables) problem() string {
	m := t.making.Load()
	switch m {
	case nil:
		return ""
	case elsewhere:
		return "starting, callbacks are kept meanwhile: waiting until the tables can be made: the server is slow, or another process is making them"
	}
	return fmt.Sprintf("starting, callbacks are kept meanwhile: making the tables, %s (%d of %d)", m.Name, m.Step, m.Of)
}
