package repo

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
)

// contract is what a session sets before anything else, whatever the server ("user options"),
// the database or the login prescribe. A session that is reset (sp_reset_connection) goes back
// to their options, so the driver sends the contract with each reset, in the same packet
// (SessionInitSQL). Source: SET statements and "user options" in Microsoft's documentation.
// The order matters: a language sets the order of dates.
const contract = "" +
	"SET NOCOUNT OFF;" + // what a statement changed is counted: leadsync recognises lost races by the count
	"SET XACT_ABORT ON;" + // an error ends the whole transaction, never half of it
	"SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" + // servers before 2014 do not reset it; statements that need more say so by hints
	"SET IMPLICIT_TRANSACTIONS OFF;" + // a statement alone commits itself
	"SET CURSOR_CLOSE_ON_COMMIT OFF;" + // the default, like all the rest that an option could change
	"SET ROWCOUNT 0;" + // no statement stops after some rows
	"SET TEXTSIZE 2147483647;" + // cards are read whole
	"SET QUOTED_IDENTIFIER ON;" + // from here to NUMERIC_ROUNDABORT: what writing to tables
	"SET ANSI_NULLS ON;" + // with filtered indexes, indexed views or computed columns demands (error 1934)
	"SET ANSI_PADDING ON;" +
	"SET ANSI_WARNINGS ON;" + // and a text too long is an error, not cut silently
	"SET ARITHABORT ON;" + // and plans are those that Management Studio shows
	"SET CONCAT_NULL_YIELDS_NULL ON;" +
	"SET NUMERIC_ROUNDABORT OFF;" +
	"SET ARITHIGNORE OFF;" +
	"SET ANSI_NULL_DFLT_ON ON;" + // a column of a temporary table that says nothing allows NULL
	"SET LANGUAGE us_english;" + // names of months in texts, the first day of the week, the server's own messages
	"SET DATEFORMAT ymd;" // after the language, which sets mdy

// serviceContract is the contract of everything but migrations. Of two transactions that block
// each other leadsync's is the one to end: it runs again by itself, and a report does not.
func serviceContract(l limits) string {
	return contract + "SET DEADLOCK_PRIORITY LOW;" + fmt.Sprintf("SET LOCK_TIMEOUT %d;", l.lock.Milliseconds())
}

// migrationContract is the contract of migrations: they wait for locks as long as it takes,
// because what they have done until then would be done again.
const migrationContract = contract + "SET DEADLOCK_PRIORITY NORMAL;SET LOCK_TIMEOUT -1;"

// hostile are settings that tests put before the contract, as a server or a login would.
var hostile string

// countProbe changes one row. Its count must be 1: a session that counts nothing would make
// every write look like a lost race.
const countProbe = "DECLARE @leadsync_probe TABLE (a int); INSERT INTO @leadsync_probe (a) VALUES (1);"

// errUncounted says that a session does not count what statements change, although it was
// told to.
var errUncounted = errors.New("SQL Server does not report how many rows a statement changed, although the session says SET NOCOUNT OFF: " +
	"look for a proxy or a logon trigger that changes sessions")

// connector opens sessions that keep a contract and do not wait for ever.
type connector struct {
	driver *mssql.Connector
	limits limits
	wires  *wires
	// era counts how often connections were found to be silent: those of an earlier era are not used again.
	era atomic.Int64
}

// newConnector reads the URL. wires may be nil: nobody watches migrations.
func newConnector(dsn, contract string, l limits, w *wires) (*connector, error) {
	made, err := mssql.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	if w == nil {
		w = newWires()
	}
	made.SessionInitSQL = hostile + contract
	made.Dialer = dialer{wires: w, stall: l.lock}
	return &connector{driver: made, limits: l, wires: w}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver.Driver() }

// Connect logs in and sets the session up, within limits.login: the driver itself looks at no
// context while it logs in.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, c.limits.login)
	defer cancel()
	dialed := &dialed{patient: isPatient(ctx)}
	hangUp := context.AfterFunc(limited, dialed.close)
	era := c.era.Load()
	conn, err := c.logIn(context.WithValue(limited, dialedKey{}, dialed))
	if !hangUp() && err == nil { // the limit came after the last answer
		err = limited.Err()
	}
	if err == nil {
		return &session{Conn: conn, connector: c, wire: dialed.live(), era: era}, nil
	}
	dialed.close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, silenceError{"log-in", c.limits.login, err}
	default:
		return nil, err
	}
}

func (c *connector) logIn(ctx context.Context) (*mssql.Conn, error) {
	made, err := c.driver.Connect(ctx)
	conn, _ := made.(*mssql.Conn)
	if err != nil {
		if conn != nil && errors.Is(err, driver.ErrBadConn) { // the driver's word for any error of SessionInitSQL
			if _, why := execute(ctx, conn, c.driver.SessionInitSQL); why != nil {
				err = fmt.Errorf("set the session up: %w", why)
			}
		}
		return nil, err
	}
	counted, err := execute(ctx, conn, countProbe)
	if err == nil && counted != 1 {
		err = errUncounted
	}
	return conn, err
}

// execute runs a statement on a connection that database/sql does not have yet.
func execute(ctx context.Context, conn driver.ConnPrepareContext, statement string) (affected int64, err error) {
	prepared, err := conn.PrepareContext(ctx, statement)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, prepared.Close()) }()
	with, ok := prepared.(driver.StmtExecContext)
	if !ok {
		return 0, errors.New("the driver's statements take no context")
	}
	result, err := with.ExecContext(ctx, nil)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// doubt marks all connections as possibly dead: one of them gave no answer, and what swallows
// one connection swallows its neighbours. They are replaced when they are wanted next.
func (c *connector) doubt() { c.era.Add(1) }

// session is a connection whose resets do not wait for ever. Everything else is the driver's.
type session struct {
	*mssql.Conn
	connector *connector
	wire      *wire
	era       int64
	rests     time.Time // since when it is back in the pool
	staged    bool      // it had temporary tables since its last reset
	// unfinished says that a transaction was begun or ended and the answer did not say so: the
	// server may have one open, in which the next one would commit nothing.
	unfinished bool
}

// BeginTx is the driver's. A caller who waits no longer gets an error although the server has
// begun, and the driver would keep the connection.
func (s *session) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := s.Conn.BeginTx(ctx, opts)
	if err != nil {
		s.unfinished = true
		return nil, err
	}
	return transaction{tx, s}, nil
}

// transaction is the driver's. It notes in the session whether it ended.
type transaction struct {
	driver.Tx

	session *session
}

// Commit implements driver.Tx.
func (t transaction) Commit() error { return t.ended(t.Tx.Commit()) }

// Rollback implements driver.Tx.
func (t transaction) Rollback() error { return t.ended(t.Tx.Rollback()) }

func (t transaction) ended(err error) error {
	t.session.unfinished = t.session.unfinished || err != nil
	return err
}

// PrepareContext is the driver's. It notes temporary tables: plans for one that is gone must not
// outlive it, and nor must the table itself where a transaction ended early.
func (s *session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s.staged = s.staged || strings.Contains(query, "CREATE TABLE #")
	return s.Conn.PrepareContext(ctx, query)
}

// ResetSession is called when the pool gives the connection out again. What has rested for a
// while is reset, with the contract, which also shows that the server still answers: a
// connection that gives no answer here is dead, and so are those beside it. What was in use just
// now is not, unless it had temporary tables: nothing else changes a session, and a reset costs
// a round trip. A reset does not end with the caller's context, which would cost the connection;
// it has a short limit of its own.
func (s *session) ResetSession(ctx context.Context) error {
	if s.unfinished || s.era != s.connector.era.Load() {
		return driver.ErrBadConn
	}
	if !s.staged && time.Since(s.rests) < s.connector.limits.rest && s.Conn.IsValid() {
		s.wire.expect(isPatient(ctx))
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.connector.limits.reset)
	defer cancel()
	s.wire.expect(isPatient(ctx))
	err := s.Conn.ResetSession(limited)
	s.staged = s.staged && err != nil
	if err != nil && limited.Err() != nil {
		s.connector.doubt()
	}
	return err
}

// IsValid keeps doubtful connections, and those that may be in a transaction, out of the pool. It is called when one comes back.
func (s *session) IsValid() bool {
	s.rests = time.Now()
	return !s.unfinished && s.era == s.connector.era.Load() && s.Conn.IsValid()
}

// silenceError says that the server gave no answer in the time that leadsync gives it.
type silenceError struct {
	what  string
	limit time.Duration
	cause error
}

// Error implements error.
func (e silenceError) Error() string {
	return fmt.Sprintf("no answer to the %s within %s: %v", e.what, e.limit, e.cause)
}

// Unwrap returns the driver's error.
func (e silenceError) Unwrap() error { return e.cause }
