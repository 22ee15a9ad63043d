package repo

import (
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	leadsql "leadsync/sql"
)

// dialect is everything in which the two databases differ, statements included.
type dialect struct {
	name       string
	sql        *leadsql.Statements
	migrations fs.FS
	goose      goose.Dialect
	history    string                        // name of goose's table
	locker     lock.SessionLocker            // lets one process migrate at a time; nil where transactions do that
	schema     string                        // of the tables; "" where there are none
	checks     []check                       // before a migration, see preflight.go
	health     []check                       // of a database in use, see health.go
	preflight  map[string]string             // the statements of both
	room       func(bytes int64) []Condition // whether the disk has room for tables of that size; nil where a check finds out
	// batches says that several statements are sent as one text, because each round trip costs.
	batches bool
	// load fills a temporary table in the fastest way of this database.
	load loader
	// small is the largest number of leads that are written without temporary tables. Measured
	// by BenchmarkLoad.
	small int
	batch int // the most leads that one transaction of Apply writes
	// pack writes lists of rows as this database reads them.
	pack packer
	// classify says what an error of the driver means.
	classify func(error) fault
	// number is the server's number of an error, 0 where it has none, and cause adds to an error in
	// words what is wrong; nil where there is nothing to add.
	number func(error) int32
	cause  func(error) error
	// hint says what an operator can do when the database cannot be opened.
	hint func(error) string
}

// opened is the result of opening a URL.
type opened struct {
	dialect     dialect
	read, write *sql.DB
	place       string // where the database is, for errors; never contains a password
	sent        *sent
	limits      limits
	// doubt replaces connections that may be dead; nil where there is no network.
	doubt func()
	// silentSince returns since when the server owes an answer for too long; nil as doubt.
	silentSince func(now time.Time) time.Time
	// migrations opens the connections that migrations use; nil where they are the writer's.
	migrations func() (*sql.DB, func() error)
}

// openURL selects the database by the URL's scheme.
func openURL(url string, l limits) (opened, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(strings.TrimPrefix(url, "sqlite:"))
	case strings.HasPrefix(url, "sqlserver://"):
		return openSQLServer(url, l)
	default:
		scheme, _, _ := strings.Cut(url, ":")
		return opened{}, fmt.Errorf("database URL: unknown scheme %q, "+
			"want sqlite:<path> or sqlserver://user:password@host:1433?database=name", scheme)
	}
}
