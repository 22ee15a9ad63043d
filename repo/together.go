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
	counts := make([]int64, len(statements))
	if !d.dialect.batches {
		for i, statement := range statements {
			var err error
			if counts[i], err = affect(ctx, tx, statement, args...); err != nil {
				return nil, err
			}
		}
		return counts, nil
	}
	dest := make([]any, len(counts))
	for i := range counts {
		dest[i] = &counts[i]
	}
	err := readEach(ctx, tx, args, counting(statements), reading{take: func(row scanner) error { return row.Scan(dest...) }})
	return counts, err
}

// counting is one text of several statements that returns how many rows each affected.
// (@@ROWCOUNT counts also where a session has NOCOUNT on, and leaves out what triggers of the
// operator do.)
func counting(statements []string) string {
	counted := make([]string, 0, 2*len(statements)+2)
	names := make([]string, len(statements))
	for i, statement := range statements {
		names[i] = fmt.Sprintf("@affected_%d", i)
		counted = append(counted, statement, "SET "+names[i]+" = @@ROWCOUNT")
	}
	counted = append([]string{"DECLARE " + strings.Join(names, " bigint, ") + " bigint"}, counted...)
	return politely(append(counted, "SELECT "+strings.Join(names, ", ")))
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
