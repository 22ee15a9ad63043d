package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	leadsql "leadsync/sql"
)

// dialect is all in which the two databases differ, their statements included.
type dialect struct {
	name       string
	sql        *leadsql.Statements
	migrations fs.FS
	goose      goose.Dialect
	history    string             // goose's table
	locker     lock.SessionLocker // one migration at a time; nil where goose needs none
	// load puts rows into a table, many at a time, the way this database does it best.
	load loader
	// judge says what kind of failure an error of the driver is.
	judge func(error) fault
	// advise says what an operator can do about a failed opening.
	advise func(error) string
}

// loader puts rows into a table.
type loader func(ctx context.Context, tx *sql.Tx, into target, rows [][]any) error

// target is a table that load fills.
type target struct {
	table   string // as SQL Server calls it
	insert  string // the statement for one row, where there is no bulk copy
	columns []string
}

// loadPrepared inserts row by row. In the same process nothing is faster; over a network
// it is the slow way that always works.
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

// opened is what opening a URL gives.
type opened struct {
	dialect     dialect
	read, write *sql.DB
	place       string // for errors: never with a password
}

// openURL tells the databases apart by the URL's scheme.
func openURL(url string) (opened, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(strings.TrimPrefix(url, "sqlite:"))
	case strings.HasPrefix(url, "sqlserver://"):
		return openSQLServer(url)
	default:
		scheme, _, _ := strings.Cut(url, ":")
		return opened{}, fmt.Errorf("database URL: scheme %q is unknown: "+
			"write sqlite:<path> or sqlserver://user:password@host:1433?database=name", scheme)
	}
}
