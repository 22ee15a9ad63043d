package repo

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	leadsql "leadsync/sql"
)

const sqliteName = "sqlite"

// sqliteReaders is the number of connections that read; one more writes.
const sqliteReaders = 4

// openSQLite opens the file with one connection that writes and several that read. WAL mode
// lets them and other processes work at the same time.
func openSQLite(path string) (opened, error) {
	if path == "" || strings.HasPrefix(path, ":") {
		return opened{}, errors.New("database URL: sqlite: without a file, want sqlite:<path>")
	}
	if err := createPrivate(path); err != nil {
		return opened{}, fmt.Errorf("open %s: %w: create its folder, or give the service the right to write there", path, err)
	}
	// Staged rows need no disk, 8 MB of pages keep indexes in memory while many rows are written, and a log of 32 MB takes several
	// transactions of an import, so that pages that each of them changes are written to the file once.
	counter, opening := &sent{}, &sync.Mutex{}
	write, err := sqlitePool(path, counter, opening, 1, "_txlock=immediate&_pragma=temp_store(MEMORY)&_pragma=cache_size(-8000)&_pragma=wal_autocheckpoint(8000)&_pragma=journal_size_limit(33554432)")
	if err != nil {
		return opened{}, err
	}
	read, err := sqlitePool(path, counter, opening, sqliteReaders, "_pragma=query_only(1)")
	if err != nil {
		return opened{}, errors.Join(err, write.Close())
	}
	d := sqliteDialect()
	d.room = func(bytes int64) []Condition { return judgeDisk(path, bytes) }
	return opened{dialect: d, read: read, write: write, place: path, sent: counter}, nil
}

func sqliteDialect() dialect {
	return dialect{
		name: sqliteName, sql: &leadsql.SQLite, migrations: leadsql.SQLiteMigrations,
		goose: goose.DialectSQLite3, history: "leadsync_migrations",
		checks: sqliteChecks, preflight: leadsql.SQLitePreflight,
		load: loadInOrder, small: smallSQLite, batch: batchSizeSQLite, pack: packPlain, classify: classifySQLite, hint: hintSQLite,
	}
}

// judgeDisk says whether there is room for the indexes and the moved rows of a migration.
func judgeDisk(path string, bytes int64) []Condition {
	free, known := freeBytes(path)
	need := (&surroundings{bytes: bytes}).needed()
	c := condition(Tells, "", "%s are free on the disk, about %s are needed", megabytes(free), megabytes(need))
	switch {
	case !known:
		c = condition(Tells, "", "not checked: the free room of the disk is unknown here; about %s are needed", megabytes(need))
	case free < need:
		c = condition(Stops, "make room on the disk of "+path, "only %s are free on the disk, about %s are needed", megabytes(free), megabytes(need))
	}
	c.Check = "disk"
	return []Condition{c}
}

// createPrivate creates a missing file that only its owner can read, because it contains
// names, phone numbers and tokens. SQLite gives its other files the same rights. A file that is there
// is not even opened: closing it would take away all locks that this process has on it (POSIX does not
// tell descriptors apart), and the next program that closes the database would delete its log.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// sqlitePool opens a pool. sqliteConnector configures each connection: busy_timeout comes first, because the other
// settings may have to wait for other processes. With synchronous(FULL) a commit survives a
// power cut.
func sqlitePool(path string, counter *sent, opening *sync.Mutex, connections int, extra string) (*sql.DB, error) {
	connector, err := sqliteConnector(path, extra, counter, opening)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}

func sqliteConnector(path, extra string, counter *sent, opening *sync.Mutex) (driver.Connector, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := fileURL(absolute) +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + extra
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sqliteFile{connector, absolute, counter, opening}, nil
}

// fileURL names a file, by its absolute path, as SQLite's driver wants it.
func fileURL(absolute string) string {
	name := filepath.ToSlash(absolute)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	return (&url.URL{Scheme: "file", Path: name}).String()
}

// classifySQLite reads the primary result code, and the extended one of constraints.
func classifySQLite(err error) fault {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, errNoFile) {
			return faultDown
		}
		return faultOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return faultKey
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return faultBusy
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return faultData
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_PERM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return faultDown
	case sqlite3.SQLITE_ERROR: // only the text says what is missing
		if strings.Contains(e.Error(), "no such table") || strings.Contains(e.Error(), "no such column") {
			return faultMissing
		}
	}
	return faultOther
}

func hintSQLite(err error) string {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_NOTADB {
		return "this is not a SQLite file, use another path"
	}
	return "check the path and the rights on the file and its folder"
}
