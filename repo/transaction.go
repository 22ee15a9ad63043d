package repo

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

// tries is how often a transaction is run before its failure counts; pause is the wait
// between two, which grows with each and is drawn anew, so that two that met part.
const (
	tries = 6
	pause = 20 * time.Millisecond
)

// transact runs fn in a transaction of the writer. Deadlocks, time-outs of locks, keys
// that somebody else has just inserted and broken connections have the whole of it run
// again; fn must bear that.
func (d *DB) transact(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return d.transactAfter(ctx, func(ctx context.Context, tx *sql.Tx, _ error) error { return fn(ctx, tx) })
}

// transactAfter tells fn why it runs again; nil the first time.
func (d *DB) transactAfter(ctx context.Context, fn func(context.Context, *sql.Tx, error) error) error {
	var last error
	for try := 1; ; try++ {
		err := d.once(ctx, func(ctx context.Context, tx *sql.Tx) error { return fn(ctx, tx, last) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || try == tries || !d.again(err) || wait(ctx, try) != nil {
			return d.explain(ctx, err)
		}
		d.log.DebugContext(ctx, "transaction runs again", "try", try, "error", err)
		last = err
	}
}

// again tells whether the same transaction may pass the next time.
func (d *DB) again(err error) bool {
	switch d.judge(err) {
	case faultKey, faultBusy, faultBroken:
		return true
	default:
		return false
	}
}

func (d *DB) once(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return preparation{err}
	}
	if err := fn(ctx, tx); err != nil {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			return errors.Join(err, rollback)
		}
		return err
	}
	return tx.Commit()
}

func wait(ctx context.Context, try int) error {
	longest := pause << try
	return sleep(ctx, longest/2+rand.N(longest/2)) //nolint:gosec // a wait is no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// exec runs one statement in a transaction of its own, with the same patience.
func (d *DB) exec(ctx context.Context, statement string, args ...any) (affected int64, err error) {
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		affected, err = affect(ctx, tx, statement, args...)
		return err
	})
	return affected, err
}

// affect runs a statement and tells how many rows it touched.
func affect(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// querier is what reads: a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is one row of a result.
type scanner interface{ Scan(dest ...any) error }

// query collects a result's rows.
func query[T any](ctx context.Context, q querier, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what matters is in rows.Err
	var list []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// list is query with the reader's pool and errors explained.
func list[T any](ctx context.Context, d *DB, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	items, err := query(ctx, d.read, scan, statement, args...)
	return items, d.explain(ctx, err)
}

// one reads at most one row.
func one[T any](ctx context.Context, d *DB, scan func(scanner) (T, error), statement string, args ...any) (T, bool, error) {
	item, err := scan(d.read.QueryRowContext(ctx, statement, args...))
	if errors.Is(err, sql.ErrNoRows) {
		var none T
		return none, false, nil
	}
	return item, err == nil, d.explain(ctx, err)
}
