package repo

import (
	"context"
	"database/sql"
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
	load func(ctx context.Context, tx *sql.Tx, into target, rows [][]any) error
	// judge says what kind of failure an error of the driver is.
	judge func(error) fault
	// advise says what an operator can do about a failed opening.
	advise func(error) string
}

// target is a table that load fills.
type target struct {
	table   string // as SQL Server calls it
	insert  string // the statement for one row, for databases without bulk copy
	columns []string
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
