package repo

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// pruneBatch is how many rows one transaction deletes; pruneRuns is how many runs are looked
// up together.
const (
	pruneBatch = 1000
	pruneRuns  = 100
)

// ownFailuresSetting is the row of leadsync_settings with the last Id of
// bitrix_import_lead_error that the call centre's own program has written.
const ownFailuresSetting = "own_failures_after"

// Pruning says what Prune deletes.
type Pruning struct {
	Before time.Time // what is older goes; zero keeps all of it
	// Changes is the same for the history of changes.
	Changes time.Time
	// Rest is called after each transaction with the time that it took, so that others have
	// their turn; an error ends the work. Nil does not rest.
	Rest func(ctx context.Context, took time.Duration) error
	// Deleted is called with the numbers of rows after each transaction; nil is nothing.
	Deleted func(table string, rows int64)
}

// Prune deletes history that is older than a moment and that nothing needs any more:
//
//   - runs, with their findings: not those that have not ended, not the newest completed one of
//     a mode and what has come since, which passes and the mirror's status go by, and not those
//     with findings that were not repaired, unless a full pass has completed since;
//   - incidents and the last callbacks of leads;
//   - rows of bitrix_import_lead_error that leadsync has written, unless the lead still fails;
//   - the history of changes.
//
// Each transaction deletes at most 1,000 rows and a run. If Prune is interrupted, the next
// call goes on with what is left.
func (d *DB) Prune(ctx context.Context, p Pruning) error {
	if p.Rest == nil {
		p.Rest = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	if p.Deleted == nil {
		p.Deleted = func(string, int64) {}
	}
	work := pruner{d, p}
	for _, step := range []struct {
		table  string
		before time.Time
		do     func(context.Context) error
	}{
		{"leadsync_runs", p.Before, work.runs},
		{"leadsync_incidents", p.Before, work.incidents},
		{"leadsync_callbacks", p.Before, work.callbacks},
		{"bitrix_import_lead_error", p.Before, work.failures},
		{"leadsync_changes", p.Changes, work.changes},
	} {
		if step.before.IsZero() {
			continue
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("delete old rows of %s: %w", step.table, err)
		}
	}
	return nil
}

// pruner is one call of Prune.
type pruner struct {
	d   *DB
	cfg Pruning
}

// batch runs one transaction and rests.
func (p pruner) batch(ctx context.Context, do func(context.Context) error) error {
	began := time.Now()
	if err := do(ctx); err != nil {
		return err
	}
	return p.cfg.Rest(ctx, time.Since(began))
}

// runs deletes runs and their findings.
func (p pruner) runs(ctx context.Context) error {
	for {
		ids, err := queryList(ctx, p.d, scanText, p.d.dialect.sql.PruneRunList,
			sql.Named("before", instant(p.cfg.Before)), sql.Named("limit", pruneRuns))
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := p.run(ctx, id); err != nil {
				return err
			}
		}
	}
}

// run deletes a run's findings, and the run together with the last of them.
func (p pruner) run(ctx context.Context, id string) error {
	for more := true; more; {
		err := p.batch(ctx, func(ctx context.Context) error {
			var findings, runs int64
			err := p.d.transact(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
				if findings, err = affect(ctx, tx, p.d.dialect.sql.PruneFindings, sql.Named("run_id", id), sql.Named("limit", pruneBatch)); err != nil {
					return err
				}
				if more = findings == pruneBatch; more {
					return nil
				}
				runs, err = affect(ctx, tx, p.d.dialect.sql.PruneRun, sql.Named("id", id))
				return err
			})
			if err == nil {
				p.cfg.Deleted("leadsync_findings", findings)
				p.cfg.Deleted("leadsync_runs", runs)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p pruner) incidents(ctx context.Context) error {
	for more := true; more; {
		err := p.batch(ctx, func(ctx context.Context) error {
			n, err := p.delete(ctx, "leadsync_incidents", p.d.dialect.sql.PruneIncidents, sql.Named("before", instant(p.cfg.Before)), sql.Named("limit", pruneBatch))
			more = n == pruneBatch
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// delete runs a statement in a transaction of its own and reports the number of rows.
func (p pruner) delete(ctx context.Context, table, statement string, args ...any) (int64, error) {
	n, err := p.d.exec(ctx, statement, args...)
	if err == nil {
		p.cfg.Deleted(table, n)
	}
	return n, err
}

// callbacks walks through the portals' leads: an index by time would cost every callback.
func (p pruner) callbacks(ctx context.Context) error {
	portals, err := p.d.Portals(ctx)
	if err != nil {
		return err
	}
	for _, portal := range portals {
		walk := walk{
			table: "leadsync_callbacks", next: p.d.dialect.sql.PruneCallbackRange, old: p.d.dialect.sql.PruneCallbacks,
			args: []any{sql.Named("member_id", portal.MemberID), sql.Named("before", instant(p.cfg.Before))},
		}
		if err := p.walk(ctx, walk); err != nil {
			return err
		}
	}
	return nil
}

// failures walks through the rows that leadsync has written.
func (p pruner) failures(ctx context.Context) error {
	after, err := p.d.ownFailures(ctx)
	if err != nil {
		return err
	}
	return p.walk(ctx, walk{
		table: "bitrix_import_lead_error", after: after, next: p.d.dialect.sql.PruneFailureRange, old: p.d.dialect.sql.PruneFailures,
		args: []any{sql.Named("before", wallClock(p.cfg.Before))},
	})
}

// changes walks through the rows in the order in which they were written, up to those that are
// young. Rows of tomorrow and later were written by a clock that was wrong: they are stepped over.
func (p pruner) changes(ctx context.Context) error {
	return p.walk(ctx, walk{
		table: "leadsync_changes", next: p.d.dialect.sql.PruneChangeRange, old: p.d.dialect.sql.PruneChanges, ordered: true,
		args: []any{sql.Named("before", instant(p.cfg.Changes)), sql.Named("tomorrow", instant(p.d.now().Add(24*time.Hour)))},
	})
}

// ownFailures is the last Id of bitrix_import_lead_error that may be the call centre's. The
// migration stores it. Where somebody has emptied leadsync_settings, nobody knows any more
// whose the rows are: all that are there now stay.
func (d *DB) ownFailures(ctx context.Context) (int64, error) {
	kept, err := d.settings(ctx, d.read)
	if err != nil {
		return 0, d.explain(ctx, err)
	}
	if last, err := strconv.ParseInt(kept[ownFailuresSetting], 10, 64); err == nil {
		return last, nil
	}
	last, _, err := queryOne(ctx, d, scanInt, d.dialect.sql.FailureLast)
	if err != nil {
		return 0, err
	}
	return last, d.saveSetting(ctx, ownFailuresSetting, strconv.FormatInt(last, 10))
}

// walk is a table that is read by its key, a batch at a time, for its old rows.
type walk struct {
	table     string
	after     int64
	next, old string // statements: the next keys, and deletes the old rows among them
	args      []any
	ordered   bool // by time, too: behind a batch of young rows there are no old ones
}

// walked are the last key of a batch, 0 at the end, and the number of its rows that are not young.
type walked struct{ upTo, old int64 }

func (p pruner) walk(ctx context.Context, w walk) error {
	for {
		var found walked
		err := p.batch(ctx, func(ctx context.Context) (err error) {
			after := sql.Named("after", w.after)
			found, _, err = queryOne(ctx, p.d, func(row scanner) (k walked, err error) {
				err = row.Scan(&k.upTo, &k.old)
				return k, err
			}, w.next, append([]any{after, sql.Named("limit", pruneBatch)}, w.args...)...)
			if err != nil || found.old == 0 {
				return err
			}
			_, err = p.delete(ctx, w.table, w.old, append([]any{after, sql.Named("up_to", found.upTo)}, w.args...)...)
			return err
		})
		if err != nil || found.upTo == 0 || w.ordered && found.old == 0 {
			return err
		}
		w.after = found.upTo
	}
}

// TableRows returns how many rows the tables that grow have: on SQL Server approximately, as
// its catalogue says; on SQLite counted, which takes a while where there are millions.
func (d *DB) TableRows(ctx context.Context) (map[string]int64, error) {
	type size struct {
		table string
		rows  int64
	}
	list, err := queryList(ctx, d, func(row scanner) (s size, err error) {
		err = row.Scan(&s.table, &s.rows)
		return s, err
	}, d.dialect.sql.TableRows)
	rows := make(map[string]int64, len(list))
	for _, s := range list {
		rows[s.table] = s.rows
	}
	return rows, wrap(err, "rows of the tables")
}
