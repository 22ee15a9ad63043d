package repo_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// recorder sees every call to a driver that reaches the server.
type recorder struct {
	mu     sync.Mutex
	calls  []call
	before func()            // called once, before the next transaction begins
	asked  func(text string) // called before each statement
}

// call is one round trip.
type call struct {
	at       time.Time
	what     string // begin, commit, rollback or statement
	text     string
	declared string // the parameters with their types, as the server gets them
	args     []driver.NamedValue
}

func (r *recorder) add(c call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.at = time.Now()
	r.calls = append(r.calls, c)
}

// take returns the calls since the last take.
func (r *recorder) take() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// wrap is for repo.OpenThrough.
func (r *recorder) wrap(c driver.Connector) driver.Connector { return recordingConnector{c, r} }

type recordingConnector struct {
	driver.Connector
	to *recorder
}

func (c recordingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &recordingConn{conn, c.to}, nil
}

// as is what the driver must implement.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("%T is no %T", v, t))
	}
	return t
}

type recordingConn struct {
	driver.Conn
	to *recorder
}

func (c *recordingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if before := c.to.before; before != nil {
		c.to.before = nil
		before()
	}
	c.to.add(call{what: "begin"})
	tx, err := as[driver.ConnBeginTx](c.Conn).BeginTx(ctx, opts)
	return recordingTx{tx, c.to}, err
}

func (c *recordingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := as[driver.ConnPrepareContext](c.Conn).PrepareContext(ctx, query)
	return &recordingStmt{stmt, query, c.to}, err
}

func (c *recordingConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *recordingConn) Ping(ctx context.Context) error { return as[driver.Pinger](c.Conn).Ping(ctx) }

func (c *recordingConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.Conn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

func (c *recordingConn) IsValid() bool {
	validator, ok := c.Conn.(driver.Validator)
	return !ok || validator.IsValid()
}

type recordingTx struct {
	driver.Tx
	to *recorder
}

func (t recordingTx) Commit() error {
	t.to.add(call{what: "commit"})
	return t.Tx.Commit()
}

func (t recordingTx) Rollback() error {
	t.to.add(call{what: "rollback"})
	return t.Tx.Rollback()
}

type recordingStmt struct {
	driver.Stmt
	query string
	to    *recorder
}

var errNoContext = errors.New("a statement without a context")

func (s *recordingStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

func (s *recordingStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

func (s *recordingStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.record(args)
	if stmt, ok := s.Stmt.(driver.StmtExecContext); ok {
		return stmt.ExecContext(ctx, args)
	}
	values := make([]driver.Value, len(args)) // a row of bulk copy
	for i, arg := range args {
		values[i] = arg.Value
	}
	return s.Stmt.Exec(values) //nolint:staticcheck // the driver has no other method for it
}

func (s *recordingStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.record(args)
	return as[driver.StmtQueryContext](s.Stmt).QueryContext(ctx, args)
}

// record notes a statement. sp_executesql has text and declarations as arguments; for any
// other call the driver makes the declarations. A row of bulk copy is not sent alone.
func (s *recordingStmt) record(args []driver.NamedValue) {
	if asked := s.to.asked; asked != nil {
		asked(s.query)
	}
	switch {
	case strings.HasPrefix(s.query, "INSERTBULK"):
		if len(args) == 0 {
			s.to.add(call{what: "statement", text: s.query})
		}
	case s.query == "sp_executesql":
		s.to.add(call{what: "statement", text: as[string](args[0].Value), declared: as[string](args[1].Value), args: args[2:]})
	default:
		var declared []string
		for _, arg := range args {
			declared = append(declared, "@"+arg.Name+" "+driversType(arg.Value))
		}
		s.to.add(call{what: "statement", text: s.query, declared: strings.Join(declared, ",")})
	}
}

// driversType is the type that go-mssqldb declares for a value (makeDecl in its types.go).
func driversType(value driver.Value) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("nvarchar(%d)", len(utf16.Encode([]rune(v))))
	case sql.NullString:
		if !v.Valid {
			return "nvarchar(4000)"
		}
		return driversType(v.String)
	default:
		return fmt.Sprintf("%T", v)
	}
}
