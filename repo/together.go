package repo

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// reading is a query that is sent with others; take receives each of its rows.
type reading struct {
	statement string
	take      func(scanner) error
}

// into collects the rows of a query.
func into[T any](statement string, scan func(scanner) (T, error), list *[]T) reading {
	return reading{statement, func(row scanner) error {
		value, err := scan(row)
		if err == nil {
			*list = append(*list, value)
		}
		return err
	}}
}

// readTogether runs queries that have the same parameters, in one round trip where the
// database is reached over a network.
func (d *DB) readTogether(ctx context.Context, q querier, args []any, readings ...reading) error {
	if !d.dialect.batches {
		for _, r := range readings {
			if err := readEach(ctx, q, args, r.statement, r); err != nil {
				return err
			}
		}
		return nil
	}
	statements := make([]string, len(readings))
	for i, r := range readings {
		statements[i] = r.statement
	}
	return readEach(ctx, q, args, politely(statements), readings...)
}

// readEach reads the results of one text, one for each reading.
func readEach(ctx context.Context, q querier, args []any, text string, readings ...reading) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has the errors that matter
	for i, r := range readings {
		if i > 0 && !rows.NextResultSet() {
			return cmpErr(rows.Err(), fmt.Errorf("%d results, want %d", i, len(readings)))
		}
		for rows.Next() {
			if err := r.take(rows); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// politely is one text of several statements. Its transaction becomes the victim of a deadlock
// with a report or a lookup of the call centre, which nobody would run again; leadsync does
// that itself.
func politely(statements []string) string {
	return "SET DEADLOCK_PRIORITY LOW;\n" + strings.Join(statements, ";\n") + ";\n"
}

// writeTogether runs statements in one round trip where the database is reached over a
// network, and returns how many rows each affected.
func (d *DB) writeTogether(ctx context.Context, tx *sql.Tx, args []any, statements ...string) ([]int64, error) {
	steps := make([]step, len(statements))
	for i, statement := range statements {
		steps[i] = step{statement, true}
	}
	if !d.dialect.batches {
		return d.writeEach(ctx, tx, args, steps)
	}
	return count(ctx, tx, counting(statements, plainly), len(statements), args)
}

// step is a statement of a text that is the same for every batch.
type step struct {
	statement string
	needed    bool // there is something to do for it
}

// writeNeeded is writeTogether where not all of the statements have something to do. The text
// has all of them, so that SQL Server has one plan for it; which of them run is a parameter.
func (d *DB) writeNeeded(ctx context.Context, tx *sql.Tx, args []any, steps []step) ([]int64, error) {
	if !d.dialect.batches {
		return d.writeEach(ctx, tx, args, steps)
	}
	statements := make([]string, len(steps))
	needed := int64(0)
	for i, s := range steps {
		statements[i] = s.statement
		if s.needed {
			needed |= 1 << i
		}
	}
	return count(ctx, tx, counting(statements, ifNeeded), len(steps), append(args, sql.Named("needed", needed)))
}

// writeEach runs the statements one by one.
func (d *DB) writeEach(ctx context.Context, tx *sql.Tx, args []any, steps []step) ([]int64, error) {
	counts := make([]int64, len(steps))
	for i, s := range steps {
		if !s.needed {
			continue
		}
		var err error
		if counts[i], err = affect(ctx, tx, s.statement, args...); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// count runs a text that returns n numbers.
func count(ctx context.Context, tx *sql.Tx, text string, n int, args []any) ([]int64, error) {
	counts := make([]int64, n)
	dest := make([]any, n)
	for i := range counts {
		dest[i] = &counts[i]
	}
	err := readEach(ctx, tx, args, text, reading{take: func(row scanner) error { return row.Scan(dest...) }})
	return counts, err
}

// counting is one text of several statements that returns how many rows each affected. how
// writes the i-th of them.
// (@@ROWCOUNT counts also where a session has NOCOUNT on, and leaves out what triggers of the
// operator do.)
func counting(statements []string, how func(i int, counted string) string) string {
	text := make([]string, 1, len(statements)+2)
	names := make([]string, len(statements))
	for i, statement := range statements {
		names[i] = fmt.Sprintf("@affected_%d", i)
		text = append(text, how(i, statement+";\nSET "+names[i]+" = @@ROWCOUNT"))
	}
	text[0] = "DECLARE " + strings.Join(names, " bigint = 0, ") + " bigint = 0"
	return politely(append(text, "SELECT "+strings.Join(names, ", ")))
}

func plainly(_ int, counted string) string { return counted }

// ifNeeded skips a statement whose bit of @needed is not set. SQL Server compiles a statement
// with temporary tables when it runs it, so that one that is skipped costs nothing.
func ifNeeded(i int, counted string) string {
	return fmt.Sprintf("IF (@needed & %d) <> 0\nBEGIN\n%s;\nEND", 1<<i, counted)
}

// execTogether runs statements without parameters in one round trip where the database is
// reached over a network. On SQL Server temporary tables that they create stay until the
// session drops them.
func (d *DB) execTogether(ctx context.Context, tx *sql.Tx, statements ...string) error {
	if d.dialect.batches {
		statements = []string{politely(statements)}
	}
	return execAll(ctx, tx, statements...)
}

// within runs do so that it ends with the context, where a pool may have to open a connection
// first (intime). A transaction has its connection.
func within[T any](ctx context.Context, q querier, do func() (T, error)) (T, error) {
	if _, pool := q.(*sql.DB); !pool {
		return do()
	}
	return intime(ctx, do)
}
