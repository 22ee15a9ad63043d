package repo

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"sync"
)

// sqliteFile opens connections to a file and discards connections whose file is no longer
// the one at the path. Otherwise, after somebody moves the file away or replaces it with a
// backup, the service would write to a file that nobody reads, and report success.
type sqliteFile struct {
	driver.Connector

	path string
	sent *sent
	// opening lets one connection after the other be opened: the first one makes a new file one with a log, which SQLite
	// refuses at once, without waiting, while others are being opened.
	opening *sync.Mutex
}

// sqliteConn lists the interfaces that the driver's connections implement.
type sqliteConn interface {
	driver.Conn
	driver.Pinger
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

// Connect implements driver.Connector.
func (f sqliteFile) Connect(ctx context.Context) (driver.Conn, error) {
	f.opening.Lock()
	defer f.opening.Unlock()
	before, err := os.Stat(f.path)
	if err != nil {
		return nil, errors.Join(errNoFile, err)
	}
	conn, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("SQLite driver: unknown type of connection, want that of modernc.org/sqlite"), conn.Close())
	}
	w := watchedConn{sqliteConn: c, path: f.path, file: before, sent: f.sent}
	if !w.current() {
		return nil, errors.Join(errNoFile, conn.Close())
	}
	return w, nil
}

// errNoFile says that the file does not exist, or was replaced while it was opened.
var errNoFile = errors.New("database file is missing or was replaced")

// watchedConn is a connection that knows which file it has open.
type watchedConn struct {
	sqliteConn

	path string
	file os.FileInfo
	sent *sent
}

// ResetSession implements driver.SessionResetter. database/sql calls it before it uses a
// connection again.
func (c watchedConn) ResetSession(ctx context.Context) error {
	if !c.current() {
		return driver.ErrBadConn
	}
	return c.sqliteConn.ResetSession(ctx)
}

func (c watchedConn) current() bool {
	now, err := os.Stat(c.path)
	return err == nil && os.SameFile(c.file, now)
}
