package repo

import (
	"context"
	"database/sql"
	"errors"
	"regexp"

	mssql "github.com/microsoft/go-mssqldb"
)

// loader inserts rows into a temporary table.
type loader func(ctx context.Context, tx *sql.Tx, into target, rows [][]any) error

// target is a table that a loader fills.
type target struct {
	table   string // name on SQL Server
	insert  string // inserts one row; used without bulk copy
	columns []string
}

// smallSQLServer and smallSQLite are dialect.small.
const (
	smallSQLServer = 10
	smallSQLite    = 50
)

// loadPrepared inserts row by row. Nothing is faster within one process; over a network it
// is slow, but always works.
func loadPrepared(ctx context.Context, tx *sql.Tx, into target, rows [][]any) (err error) {
	statement, err := tx.PrepareContext(ctx, into.insert)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	args := make([]any, len(into.columns))
	for _, row := range rows {
		for i, column := range into.columns {
			args[i] = sql.Named(column, row[i])
		}
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// loadInOrder is loadPrepared for SQLite: its driver takes as long to find values by their names
// as SQLite takes to store them.
func loadInOrder(ctx context.Context, tx *sql.Tx, into target, rows [][]any) (err error) {
	statement, err := tx.PrepareContext(ctx, into.byOrder())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	each := context.WithoutCancel(ctx) // the driver would start a goroutine for each row, to stop what takes microseconds
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := statement.ExecContext(each, row...); err != nil {
			return err
		}
	}
	return nil
}

var parameterName = regexp.MustCompile(`@\w+`)

// byOrder is the statement with a mark for the name of each column: it names them in their order.
func (into target) byOrder() string { return parameterName.ReplaceAllLiteralString(into.insert, "?") }

// smallBulk is the largest number of rows for which prepared inserts are not slower than
// bulk copy, which first asks for the table's columns.
const smallBulk = 2

// loadSQLServer chooses the faster way for the number of rows.
func loadSQLServer(ctx context.Context, tx *sql.Tx, into target, rows [][]any) error {
	if len(rows) <= smallBulk {
		return loadPrepared(ctx, tx, into, rows)
	}
	return loadBulk(ctx, tx, into, rows)
}

// rowsPerBatch is the number of rows that SQL Server is told to expect of a bulk copy, so that
// it does not reserve memory for those that it would guess. It has two values, because it is a
// part of the statement's text.
func rowsPerBatch(rows int) int {
	if rows <= batchSize {
		return batchSize
	}
	return 10 * batchSize
}

// loadBulk sends the rows by bulk copy on the transaction's connection. The tables are heaps,
// so nothing is sorted by whole rows (stage_leads_create.sql); a promised order would not help,
// because across portals Go's order is not that of the collation.
func loadBulk(ctx context.Context, tx *sql.Tx, into target, rows [][]any) (err error) {
	statement, err := tx.PrepareContext(ctx, mssql.CopyIn(into.table, mssql.BulkOptions{RowsPerBatch: rowsPerBatch(len(rows))}, into.columns...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	for _, row := range rows {
		if _, err := statement.ExecContext(ctx, row...); err != nil {
			return bulkError{err}
		}
	}
	if _, err := statement.ExecContext(ctx); err != nil { // finishes the copy
		return bulkError{err}
	}
	return nil
}
