package repo

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"leadsync/retry"
)

// attempts is how often a transaction runs before its failure counts. The pauses between
// them double, from 20 to 40 ms at first, and are random, so that transactions that
// collided do not collide again.
const attempts = 6

var pauses = retry.Policy{First: 30 * time.Millisecond, Jitter: 33}

// attempt calls work until it succeeds, at most attempts times, and only while passes
// says that its error may pass.
func (d *DB) attempt(ctx context.Context, passes func(error) bool, work func(context.Context) error) error {
	failed := 0
	loop := retry.Loop{
		Policy: pauses,
		Final: func(err error) bool {
			failed++
			return failed == attempts || !passes(err)
		},
		Failed: func(err error, failures int, pause time.Duration) {
			d.log.DebugContext(ctx, "transaction failed, running it again", "attempts", failures, "pause", pause, "error", err)
		},
	}
	return loop.Until(ctx, work)
}

// transact runs fn in a transaction of the writer. It runs all of it again after
// deadlocks, lock time-outs, duplicate keys from concurrent inserts and lost connections,
// so fn must be repeatable.
func (d *DB) transact(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return d.transactAfter(ctx, func(ctx context.Context, tx *sql.Tx, _ error) error { return fn(ctx, tx) })
}

// transactAfter is transact; fn also gets the error of the previous attempt, nil at first.
func (d *DB) transactAfter(ctx context.Context, fn func(context.Context, *sql.Tx, error) error) error {
	var previous error
	err := d.attemptWithin(ctx, "transaction", func(ctx context.Context) error {
		previous = d.tryOnce(ctx, func(ctx context.Context, tx *sql.Tx) error { return fn(ctx, tx, previous) })
		return previous
	})
	return d.explain(ctx, err)
}

// attemptWithin is attempt for what a database may take d.limits for, and finds out meanwhile
// who blocks it.
func (d *DB) attemptWithin(ctx context.Context, what string, work func(context.Context) error) error {
	b := budget{limit: d.limits.of(ctx), lock: d.limits.lock, began: time.Now()}
	return d.attempt(ctx, func(err error) bool { return d.transient(err) && !b.spent() }, func(ctx context.Context) error {
		limit := b.next()
		if limit == 0 {
			return work(ctx)
		}
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		blockers := d.watchBlockers(limited)
		err := work(limited)
		return blockers.name(d.outOfTime(ctx, limited, what, limit, err))
	})
}

// transient reports whether the same transaction may succeed the next time.
func (d *DB) transient(err error) bool {
	switch d.classify(err) {
	case faultKey, faultBusy, faultBroken:
		return true
	default:
		return false
	}
}

func (d *DB) tryOnce(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	tx, err := intime(ctx, func() (*sql.Tx, error) { return d.write.BeginTx(ctx, nil) }) // one that comes too late rolls itself back
	if err != nil {
		return setupError{err}
	}
	if err := fn(ctx, tx); err != nil {
		rollback := tx.Rollback()
		if rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && d.classify(err) != faultDown { // SQLite rolls back by itself where its disk is full
			return errors.Join(err, rollback)
		}
		return err
	}
	return tx.Commit()
}

// exec runs one statement in a transaction of its own and returns the rows it affected.
func (d *DB) exec(ctx context.Context, statement string, args ...any) (affected int64, err error) {
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		affected, err = affect(ctx, tx, statement, args...)
		return err
	})
	return affected, err
}

// affect runs a statement and returns how many rows it affected.
func affect(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// querier runs queries: a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is one row of a result.
type scanner interface{ Scan(dest ...any) error }

// query collects a result's rows.
func query[T any](ctx context.Context, q querier, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	return within(ctx, q, func() ([]T, error) { return collect(ctx, q, scan, statement, args...) })
}

func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	return collectWhile(ctx, q, scan, func(T) bool { return true }, statement, args...)
}

// collectWhile is collect up to the first row for which more is false.
func collectWhile[T any](ctx context.Context, q querier, scan func(scanner) (T, error), more func(T) bool, statement string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has the errors that matter
	var list []T
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if list = append(list, value); !more(value) {
			return list, nil
		}
	}
	return list, rows.Err()
}

// bounded is intime within the limit of reads.
func bounded[T any](ctx context.Context, d *DB, do func(context.Context) (T, error)) (T, error) {
	limited, cancel := d.limits.within(ctx)
	defer cancel()
	value, err := intime(limited, func() (T, error) { return do(limited) })
	return value, d.outOfTime(ctx, limited, "question", d.limits.of(ctx), err)
}

// queryList is query with the reader's pool and errors explained.
func queryList[T any](ctx context.Context, d *DB, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	values, err := bounded(ctx, d, func(ctx context.Context) ([]T, error) { return collect(ctx, d.read, scan, statement, args...) })
	return values, d.explain(ctx, err)
}

// queryOne reads at most one row; false where there is none.
func queryOne[T any](ctx context.Context, d *DB, scan func(scanner) (T, error), statement string, args ...any) (T, bool, error) {
	value, err := bounded(ctx, d, func(ctx context.Context) (T, error) { return scan(d.read.QueryRowContext(ctx, statement, args...)) })
	if errors.Is(err, sql.ErrNoRows) {
		var none T
		return none, false, nil
	}
	return value, err == nil, d.explain(ctx, err)
}

// intime returns when the context ends, although the driver goes on waiting: during a log-in,
// and while it tells the server that a statement is cancelled, it does not look at the context.
// do must not change what the caller looks at afterwards.
func intime[T any](ctx context.Context, do func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		return do()
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
