package repo

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
)

// sqliteFile opens connections to a file and gives those up whose file is no longer the
// one that the path names. Else a service under which the file is moved away, or replaced
// by a backup, would go on writing where nobody ever looks again, and say that all is
// well.
type sqliteFile struct {
	driver.Connector

	path string
}

// sqliteConn is what the driver's connections can do.
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
		return nil, errors.Join(errors.New("the SQLite driver is not the one this was written for"), conn.Close())
	}
	w := watchedConn{sqliteConn: c, path: f.path, file: before}
	if !w.current() {
		return nil, errors.Join(errNoFile, conn.Close())
	}
	return w, nil
}

// errNoFile says that the file is gone, or came and went while it was opened.
var errNoFile = errors.New("the database file is gone")

// watchedConn is a connection and the file it has open.
type watchedConn struct {
	sqliteConn

	path string
	file os.FileInfo
}

// ResetSession implements driver.SessionResetter: it is called before a connection is
// used again.
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
