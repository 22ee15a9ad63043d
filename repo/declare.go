package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	mssql "github.com/microsoft/go-mssqldb"
)

// declaring is a connector whose connections declare parameters by types that do not depend
// on the values. The driver would declare a string by its length (nvarchar(17)): a new text
// for nearly each lead, which SQL Server compiles and keeps in its cache of plans.
type declaring struct {
	driver.Connector

	sent *sent
}

// Connect implements driver.Connector.
func (d declaring) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	whole, ok := conn.(sqlServerConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("SQL Server driver: %T lacks a method of a connection", conn), conn.Close())
	}
	return &declaringConn{whole, d.sent}, nil
}

// sqlServerConn is what database/sql uses of the driver's connection.
type sqlServerConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type declaringConn struct {
	sqlServerConn

	sent *sent
}

// PrepareContext implements driver.ConnPrepareContext. Nothing is sent before the statement
// runs.
func (c *declaringConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if !strings.ContainsAny(query, " \n") || strings.HasPrefix(query, "INSERTBULK") {
		return c.sqlServerConn.PrepareContext(ctx, query) // a procedure, or bulk copy
	}
	return &declaredStmt{conn: c, query: query}, nil
}

// prepare is the driver's own PrepareContext.
func (c *declaringConn) prepare(ctx context.Context, query string) (wholeStmt, error) {
	stmt, err := c.sqlServerConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	whole, ok := stmt.(wholeStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("SQL Server driver: %T lacks a method of a statement", stmt), stmt.Close())
	}
	return whole, nil
}

// Prepare implements driver.Conn.
func (c *declaringConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// declaredStmt runs a statement by sp_executesql, as the driver does, with declarations of
// its own.
type declaredStmt struct {
	conn  *declaringConn
	query string
}

// Close implements driver.Stmt.
func (s *declaredStmt) Close() error { return nil }

// NumInput implements driver.Stmt.
func (s *declaredStmt) NumInput() int { return -1 }

// CheckNamedValue implements driver.NamedValueChecker.
func (s *declaredStmt) CheckNamedValue(v *driver.NamedValue) error { return s.conn.CheckNamedValue(v) }

var errNoContext = errors.New("statement without a context")

// Exec implements driver.Stmt. Nothing calls it.
func (s *declaredStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query implements driver.Stmt. Nothing calls it.
func (s *declaredStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

// ExecContext implements driver.StmtExecContext.
func (s *declaredStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	stmt, args, err := s.declare(ctx, args)
	if err != nil {
		return nil, err
	}
	s.conn.sent.statements.Add(1)
	return stmt.ExecContext(ctx, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *declaredStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	stmt, args, err := s.declare(ctx, args)
	if err != nil {
		return nil, err
	}
	s.conn.sent.statements.Add(1)
	return stmt.QueryContext(ctx, args)
}

// declare returns the call of sp_executesql. A text without parameters is sent as it is, so
// that temporary tables that it creates outlive it; and so is one of goose, whose parameters
// have no names.
func (s *declaredStmt) declare(ctx context.Context, args []driver.NamedValue) (wholeStmt, []driver.NamedValue, error) {
	if len(args) == 0 || args[0].Name == "" {
		stmt, err := s.conn.prepare(ctx, s.query)
		return stmt, args, err
	}
	declared := make([]string, len(args))
	call := make([]driver.NamedValue, 2, len(args)+2)
	for i, arg := range args {
		kind, err := declaredType(arg.Name, arg.Value)
		if err != nil {
			return nil, nil, err
		}
		declared[i] = "@" + arg.Name + " " + kind
		arg.Ordinal = len(call) + 1
		call = append(call, arg)
	}
	call[0] = driver.NamedValue{Ordinal: 1, Value: s.query}
	call[1] = driver.NamedValue{Ordinal: 2, Value: strings.Join(declared, ",")}
	stmt, err := s.conn.prepare(ctx, "sp_executesql")
	return stmt, call, err
}

// shortText is the longest text of a parameter that is not nvarchar(max), in UTF-16 units.
const shortText = 4000

// longTexts are the parameters that are always nvarchar(max): lists and the columns without a
// limit.
var longTexts = map[string]bool{
	"ids": true, "rows": true, "marks": true, "contacts": true, "contacts_gone": true, "phones": true, "phones_gone": true,
	"fields": true, "fields_gone": true, "solutions": true, "solutions_gone": true, "cuts": true,
	"raw_json": true, "body": true, "changed_fields": true, "sql_COMMENTS": true, "sql_full_lead_info": true, "payload": true, "error": true,
	"note": true, "problem": true, "bound_events": true, "value": true,
}

// declaredType is the type that a parameter is declared with. Texts are nvarchar(4000), unless
// they are declared long: with nvarchar(max) SQL Server would not seek in an index of
// nvarchar(64) directly, but convert first, and would reserve memory for large values. (A text
// that is longer all the same is nvarchar(max), because a shorter type would cut it silently.)
func declaredType(name string, value driver.Value) (string, error) {
	switch v := value.(type) {
	case string:
		return textType(name, v), nil
	case sql.NullString:
		return textType(name, v.String), nil
	case int, int64, sql.NullInt64:
		return "bigint", nil
	case int32, sql.NullInt32:
		return "int", nil
	case bool, sql.NullBool:
		return "bit", nil
	case float64, sql.NullFloat64:
		return "float", nil
	case []byte:
		return "varbinary(max)", nil
	case time.Time, sql.NullTime, mssql.DateTimeOffset:
		return "datetimeoffset(7)", nil
	default:
		return "", fmt.Errorf("parameter %s: unknown type %T", name, value)
	}
}

func textType(name, value string) string {
	if longTexts[name] || long(value) {
		return "nvarchar(max)"
	}
	return "nvarchar(4000)"
}

func long(text string) bool {
	return len(text) > shortText && len(utf16.Encode([]rune(text))) > shortText
}
