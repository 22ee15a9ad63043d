package repo

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
)

// sent counts the statements that are sent to the database. A transaction's begin and end are
// not counted, nor are the rows of a bulk copy.
type sent struct{ statements atomic.Int64 }

// Statements is how many statements this process has sent through d.
func (d *DB) Statements() int64 { return d.sent.statements.Load() }

// countedStmt counts what a prepared statement of SQLite runs.
type countedStmt struct {
	wholeStmt

	sent *sent
}

// wholeStmt is what database/sql uses of both drivers' statements.
type wholeStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// ExecContext implements driver.StmtExecContext.
func (s countedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.sent.statements.Add(1)
	return s.wholeStmt.ExecContext(ctx, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.sent.statements.Add(1)
	return s.wholeStmt.QueryContext(ctx, args)
}

// ExecContext implements driver.ExecerContext.
func (c watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.sent.statements.Add(1)
	return c.sqliteConn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.sent.statements.Add(1)
	return c.sqliteConn.QueryContext(ctx, query, args)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c watchedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	whole, ok := stmt.(wholeStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("SQLite driver: %T lacks a method of a statement", stmt), stmt.Close())
	}
	return countedStmt{whole, c.sent}, nil
}
